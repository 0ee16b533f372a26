package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// permitted leaves out of labels those that the apiserver takes from no node: of them all it would
// take none, and the node would never be there.
func permitted(labels map[string]string, log *slog.Logger) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if !schemas.NodeMaySet(k) {
			log.Warn("a node cannot give itself this label: somebody else has to, as with kubectl label node", "label", k)
			continue
		}
		out[k] = v
	}
	return out
}

// follow registers the node and learns its pod CIDR, for ever: the node may be
// deleted, and the control plane may be away.
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

// session registers the node and follows it until it is deleted or something fails.
func (n *Node) session(ctx context.Context) error {
	obj, err := n.register(ctx)
	if err != nil {
		return err
	}
	if err := n.learn(ctx, obj); err != nil {
		return err
	}
	wait := firstAsk
	if n.Told {
		wait = lastAsk
	}
	for {
		// Until the control plane has said which addresses the pods get, it is also asked.
		var ask <-chan time.Time
		if obj.Spec.PodCIDR == "" {
			ask = time.After(wait/2 + rand.N(wait))
			wait = min(2*wait, lastAsk)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ask:
			got, err := n.Client.Get(ctx, n.ref())
			if apierrors.IsNotFound(err) {
				return err
			}
			if err != nil { // it is asked again: who is too busy for this is too busy for a registration
				continue
			}
			if obj, _ = got.(*v1.Node); obj == nil {
				return fmt.Errorf("the answer is a %T", got)
			}
		case <-n.saw:
			if obj = n.take(); obj == nil {
				return fmt.Errorf("the node was deleted")
			}
		}
		if err := n.learn(ctx, obj); err != nil {
			return err
		}
	}
}

// How long a node waits for its pod CIDR before it asks, at first and at most.
const (
	firstAsk = 500 * time.Millisecond
	lastAsk  = 10 * time.Second
)

// Saw takes the Node as it is stored now, nil if it was deleted. It does not block.
func (n *Node) Saw(obj *v1.Node) {
	n.mu.Lock()
	n.seen = obj
	n.mu.Unlock()
	select {
	case n.saw <- struct{}{}:
	default:
	}
}

func (n *Node) take() *v1.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen
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
	was := n.object
	if was == nil || was.UID != obj.UID {
		n.met, n.posted = n.Now(), time.Time{}
	}
	n.object = obj
	n.mu.Unlock()
	for _, e := range happened(was, obj, machine().BootID) {
		n.Recorder.Event(obj, e.kind, e.reason, e.message)
	}
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
