package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

func (n *Node) ref() schemas.Ref {
	return schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(n.Name)}
}

// labels are those that every node has, and the configured ones.
func (n *Node) labels() map[string]string {
	l := map[string]string{
		v1.LabelHostname: string(n.Name), v1.LabelOSStable: runtime.GOOS, v1.LabelArchStable: runtime.GOARCH,
	}
	maps.Copy(l, n.Labels)
	return l
}

// follow registers the node and learns its pod CIDR, for ever: watches end, and
// the control plane may be away.
func (n *Node) follow(ctx context.Context) error {
	delay := 100 * time.Millisecond
	for {
		began := n.Now()
		err := n.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n.Now().Sub(began) > time.Minute {
			delay = 100 * time.Millisecond
		}
		n.Log.Debug("follow own node", "error", err, "again", delay)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, 15*time.Second)
	}
}

// session registers the node and follows it until the watch ends.
func (n *Node) session(ctx context.Context) error {
	obj, err := n.register(ctx)
	if err != nil {
		return err
	}
	if err := n.learn(ctx, obj); err != nil {
		return err
	}
	o := metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", string(n.Name)).String(),
		ResourceVersion: obj.ResourceVersion,
	}
	return n.Client.Watch(ctx, schemas.Nodes, "", o, func(eventType string, obj schemas.Object) error {
		node, ok := obj.(*v1.Node)
		if !ok {
			return nil
		}
		if eventType == "DELETED" {
			return fmt.Errorf("the node was deleted")
		}
		return n.learn(ctx, node)
	})
}

// register creates the Node, or brings the labels of the one there is up to date.
func (n *Node) register(ctx context.Context) (*v1.Node, error) {
	obj, err := n.Client.Create(ctx, schemas.Nodes, &v1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: string(n.Name), Labels: n.labels()},
	})
	if apierrors.IsAlreadyExists(err) {
		obj, err = n.update(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("register node %s: %w", n.Name, err)
	}
	node, ok := obj.(*v1.Node)
	if !ok {
		return nil, fmt.Errorf("register node %s: the answer is a %T", n.Name, obj)
	}
	return node, nil
}

func (n *Node) update(ctx context.Context) (schemas.Object, error) {
	obj, err := n.Client.Get(ctx, n.ref())
	if err != nil {
		return nil, err
	}
	missing := map[string]string{}
	for k, v := range n.labels() {
		if old, ok := obj.GetLabels()[k]; !ok || old != v {
			missing[k] = v
		}
	}
	if len(missing) == 0 {
		return obj, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": missing}})
	if err != nil {
		return nil, err
	}
	return n.Client.Patch(ctx, n.ref(), types.MergePatchType, patch, "")
}

// learn takes in what the control plane says of the node.
func (n *Node) learn(ctx context.Context, obj *v1.Node) error {
	n.mu.Lock()
	first := n.object == nil || n.object.UID != obj.UID
	if first {
		n.posted = time.Time{}
	}
	n.object = obj
	n.mu.Unlock()
	if obj.Spec.PodCIDR != "" {
		if err := n.CIDR(ctx, obj.Spec.PodCIDR); err != nil {
			n.Log.Warn("set up the pod network", "cidr", obj.Spec.PodCIDR, "error", err)
			n.Nudge()
			return err
		}
	}
	n.Nudge()
	return nil
}
