package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// fakeNode is an agent without containers: pods that it is ordered to run are ready at
// once, unless their image begins with "bad".
type fakeNode struct {
	name   schemas.NodeName
	conn   *bus.Conn
	client *api.Client
	state  *store.Store

	mu   sync.Mutex
	pods map[string]metric.Pod // by uid
}

func newFakeNode(conn *bus.Conn, name schemas.NodeName) *fakeNode {
	return &fakeNode{name: name, conn: conn, client: api.NewClient(conn, kinds.Table()), state: store.New(conn, bus.BucketState), pods: map[string]metric.Pod{}}
}

// metrics says of every container that it uses 250m and 32 MiB.
func (n *fakeNode) metrics(_ context.Context, a metric.Ask) (*metric.Node, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := &metric.Node{Name: n.name, Figures: metric.Figures{CPU: 3_200_000_000, Memory: 16 << 30}}
	for _, p := range n.pods {
		if a.Pods && (a.Namespace == "" || a.Namespace == p.Namespace) {
			out.Pods = append(out.Pods, p)
		}
	}
	return out, nil
}

// count notes what a pod uses.
func (n *fakeNode) count(pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := metric.Pod{Namespace: schemas.Namespace(pod.Namespace), Name: schemas.Name(pod.Name), UID: pod.UID}
	for i, c := range pod.Spec.Containers {
		f := metric.Figures{CPU: 250_000_000, Memory: 32 << 20}
		if i > 0 {
			f = metric.Figures{CPU: 1_000_000, Memory: 64 << 20}
		}
		p.Containers = append(p.Containers, metric.Container{Name: c.Name, Figures: f})
	}
	n.pods[string(pod.UID)] = p
}

func (n *fakeNode) run(ctx context.Context, t *testing.T) {
	list := corev1.ResourceList{"cpu": resource.MustParse("64"), "memory": resource.MustParse("64Gi"), "pods": resource.MustParse("500"), "ephemeral-storage": resource.MustParse("100Gi"), "example.com/seat": resource.MustParse("1")}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: string(n.name), Labels: map[string]string{"kubernetes.io/hostname": string(n.name)}}}
	created, err := n.client.Create(ctx, schemas.Nodes, node)
	if err != nil {
		t.Errorf("create node: %v", err)
		return
	}
	status := node.DeepCopy()
	status.UID = created.GetUID()
	status.Status = corev1.NodeStatus{Capacity: list, Allocatable: list,
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"}},
	}
	n.observe(ctx, t, bus.ObservedNodeKey(n.name), status)
	for e := range n.state.Watch(ctx, nil, bus.AssignedFilter(n.name)) {
		if len(e.Value) > 0 {
			n.ordered(ctx, t, e.Value)
		}
	}
}

func (n *fakeNode) beat(ctx context.Context) error {
	return lease.Heartbeat(ctx, n.conn, n.name, time.Second, 10*time.Second)
}

// ordered runs, or ends, the pod of a work order.
func (n *fakeNode) ordered(ctx context.Context, t *testing.T, order []byte) {
	var pod corev1.Pod
	if err := json.Unmarshal(order, &pod); err != nil {
		t.Errorf("read order: %v", err)
		return
	}
	if pod.DeletionTimestamp != nil {
		ref := schemas.RefOf(schemas.Pods, &pod)
		err := n.client.Delete(ctx, ref, metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0)), Preconditions: &metav1.Preconditions{UID: &pod.UID}})
		if err != nil && ctx.Err() == nil {
			t.Logf("delete %s: %v", ref, err)
		}
		return
	}
	seen := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID}}
	seen.Status = podStatus(&pod)
	n.count(&pod)
	n.observe(ctx, t, bus.ObservedPodKey(n.name, schemas.Namespace(pod.Namespace), schemas.Name(pod.Name)), seen)
}

func podStatus(pod *corev1.Pod) corev1.PodStatus {
	st := corev1.PodStatus{Phase: corev1.PodRunning, HostIP: "192.0.2.1", PodIP: "10.244.0.9", PodIPs: []corev1.PodIP{{IP: "10.244.0.9"}}, StartTime: ptr.To(metav1.Now())}
	ready := corev1.ConditionTrue
	for _, c := range pod.Spec.Containers {
		cs := corev1.ContainerStatus{Name: c.Name, Image: c.Image, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}
		if strings.HasPrefix(c.Image, "bad") {
			ready, st.Phase, cs.Ready = corev1.ConditionFalse, corev1.PodPending, false
			cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
		}
		st.ContainerStatuses = append(st.ContainerStatuses, cs)
	}
	for _, c := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status := ready
		if c == corev1.PodInitialized {
			status = corev1.ConditionTrue
		}
		st.Conditions = append(st.Conditions, corev1.PodCondition{Type: c, Status: status, LastTransitionTime: metav1.Now()})
	}
	return st
}

func (n *fakeNode) observe(ctx context.Context, t *testing.T, key bus.Key, obj any) {
	b, err := json.Marshal(obj)
	if err != nil {
		t.Errorf("encode %s: %v", key, err)
		return
	}
	old, err := n.state.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return // the test is over
	}
	if _, err := n.state.Update(ctx, key, b, old.Revision); err != nil && ctx.Err() == nil {
		t.Errorf("write %s: %v", key, err)
	}
}

// logs writes two lines, or what was asked for.
func (n *fakeNode) logs(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	var o struct {
		corev1.PodLogOptions
		Name string
	}
	if err := json.Unmarshal(hello, &o); err != nil {
		return err
	}
	st, err := accept()
	if err != nil {
		return err
	}
	lines := []string{"first of " + o.Container, "second of " + o.Container}
	if o.Previous {
		lines = []string{"before of " + o.Container}
	}
	if o.TailLines != nil {
		lines = lines[max(0, len(lines)-int(*o.TailLines)):]
	}
	for _, l := range lines {
		if err := st.Send(ctx, stream.Frame{Channel: 1, Data: []byte(l + "\n")}); err != nil {
			return err
		}
	}
	return nil
}

// exec knows three commands: echo, cat and exit.
func (n *fakeNode) exec(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	var o corev1.PodExecOptions
	if err := json.Unmarshal(hello, &o); err != nil {
		return err
	}
	st, err := accept()
	if err != nil {
		return err
	}
	result := metav1.Status{Status: metav1.StatusSuccess}
	switch o.Command[0] {
	case "echo":
		err = st.Send(ctx, stream.Frame{Channel: 1, Data: []byte(strings.Join(o.Command[1:], " ") + "\n")})
	case "cat":
		err = echo(ctx, st)
	case "exit":
		result = metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: "ExitCode", Message: o.Command[1]}},
		}}
		err = st.Send(ctx, stream.Frame{Channel: 2, Data: []byte("oh no\n")})
	default:
		result = metav1.Status{Status: metav1.StatusFailure, Message: fmt.Sprintf("no such command: %s", o.Command[0])}
	}
	if err != nil {
		return err
	}
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return st.Send(ctx, stream.Frame{Channel: 3, Data: b})
}

func echo(ctx context.Context, st *stream.Stream) error {
	for {
		f, err := st.Recv(ctx)
		if errors.Is(err, io.EOF) || err == nil && f.Channel == 0 && len(f.Data) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := st.Send(ctx, stream.Frame{Channel: 1, Data: f.Data}); err != nil {
			return err
		}
	}
}

// awaitServing returns once the apiserver answers.
func awaitServing(ctx context.Context, t *testing.T, n *fakeNode) {
	t.Helper()
	admin := schemas.Ref{Resource: schemas.Namespaces, Name: "default"}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		_, err := n.client.Get(ctx, admin)
		if err == nil || !errors.Is(err, bus.ErrUnreachable) {
			return // a refusal is an answer, too
		}
	}
	t.Fatal("the apiserver does not answer")
}
