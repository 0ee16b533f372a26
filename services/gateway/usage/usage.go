// Package usage renders what nodes and pods use as the metrics API has it, which is what
// `kubectl top` reads. Pure.
//
// It reads agents' figures. What always holds: a pod is told of only if it is one of those
// that the caller has been given.
package usage

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/schemas"
)

const (
	// Group and Version are the API's.
	Group   = "metrics.k8s.io"
	Version = "v1beta1"
)

// Kinds are the API's: nothing of them is kept, they can only be read.
func Kinds() []*schemas.Kind {
	return []*schemas.Kind{
		{Resource: schemas.Resource{Group: Group, Plural: "nodes"}, Version: Version, Kind: "NodeMetrics", Store: schemas.StoreMeasured},
		{Resource: schemas.Resource{Group: Group, Plural: "pods"}, Version: Version, Kind: "PodMetrics", Store: schemas.StoreMeasured, Namespaced: true},
	}
}

// amounts are quantities by resource.
type amounts map[string]string

func use(f metric.Figures) amounts {
	return amounts{"cpu": fmt.Sprintf("%dn", f.CPU), "memory": fmt.Sprintf("%dKi", f.Memory>>10)}
}

type head struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Timestamp         metav1.Time     `json:"timestamp"`
	Window            metav1.Duration `json:"window"`
}

// NodeMetrics is what one node uses.
type NodeMetrics struct {
	head
	Usage amounts `json:"usage"`
}

// PodMetrics is what one pod uses, by container.
type PodMetrics struct {
	head
	Containers []container `json:"containers"`
}

type container struct {
	Name  string  `json:"name"`
	Usage amounts `json:"usage"`
}

// List is a list of either.
type List[T any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []T `json:"items"`
}

// ListOf makes one of kind.
func ListOf[T any](kind string, items []T) List[T] {
	return List[T]{TypeMeta: typeMeta(kind + "List"), Items: items}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: Group + "/" + Version}
}

func about(kind string, of metav1.ObjectMeta, at time.Time, window time.Duration) head {
	return head{
		TypeMeta:   typeMeta(kind),
		ObjectMeta: metav1.ObjectMeta{Name: of.Name, Namespace: of.Namespace, Labels: of.Labels, CreationTimestamp: metav1.NewTime(at)},
		Timestamp:  metav1.NewTime(at), Window: metav1.Duration{Duration: window},
	}
}

// Nodes renders the answers of nodes.
func Nodes(nodes []corev1.Node, answers []*metric.Node) []NodeMetrics {
	out := []NodeMetrics{}
	for _, a := range answers {
		i := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == string(a.Name) })
		if i >= 0 {
			out = append(out, NodeMetrics{about("NodeMetrics", nodes[i].ObjectMeta, a.At, a.Window), use(a.Figures)})
		}
	}
	return out
}

// Pods renders what the answers say of pods.
func Pods(pods []corev1.Pod, answers []*metric.Node) []PodMetrics {
	known := map[types.UID]*corev1.Pod{}
	for i := range pods {
		known[pods[i].UID] = &pods[i]
	}
	out := []PodMetrics{}
	for _, a := range answers {
		for _, p := range a.Pods {
			pod := known[p.UID]
			if pod == nil {
				continue
			}
			m := PodMetrics{head: about("PodMetrics", pod.ObjectMeta, a.At, a.Window), Containers: []container{}}
			for _, c := range p.Containers {
				m.Containers = append(m.Containers, container{c.Name, use(c.Figures)})
			}
			out = append(out, m)
		}
	}
	return out
}
