//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// orders are the node's work orders: those kept on disk until the bus has listed
// them, then what the bus says. Safe for concurrent use.
type orders struct {
	mu     sync.Mutex
	byKey  map[sandbox.Key]*share.Lean
	synced bool
	// listed are those of the list that is being read, until synced.
	listed map[sandbox.Key]bool
}

func newOrders() *orders {
	return &orders{byKey: map[sandbox.Key]*share.Lean{}, listed: map[sandbox.Key]bool{}}
}

// Order implements pod.Orders.
func (o *orders) Order(k sandbox.Key) (*share.Lean, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byKey[k], o.synced
}

func (o *orders) keys() []sandbox.Key {
	o.mu.Lock()
	defer o.mu.Unlock()
	keys := make([]sandbox.Key, 0, len(o.byKey))
	for k := range o.byKey {
		keys = append(keys, k)
	}
	return keys
}

// all makes the pods that are ordered.
func (o *orders) all() []*v1.Pod {
	o.mu.Lock()
	defer o.mu.Unlock()
	pods := make([]*v1.Pod, 0, len(o.byKey))
	for _, l := range o.byKey {
		pods = append(pods, l.Pod())
	}
	return pods
}

// samples makes one pod of each spec: what many have in common is looked at once.
func (o *orders) samples() []*v1.Pod {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[*v1.PodSpec]bool{}
	var pods []*v1.Pod
	for _, l := range o.byKey {
		if spec := l.Spec(); !seen[spec] {
			seen[spec], pods = true, append(pods, l.Pod())
		}
	}
	return pods
}

// addUIDs adds the uids of the pods that are ordered.
func (o *orders) addUIDs(to map[types.UID]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.byKey {
		to[l.UID()] = true
	}
}

func (o *orders) isSynced() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.synced
}

// has tells whether the pod with that uid is ordered.
func (o *orders) has(uid types.UID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.byKey {
		if l.UID() == uid {
			return true
		}
	}
	return false
}

func (o *orders) put(k sandbox.Key, l *share.Lean) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byKey[k] = l
	if !o.synced {
		o.listed[k] = true
	}
}

// keepOld has the order that is known of a pod stay: the one in its place cannot be read. That says nothing
// against the pod.
func (o *orders) keepOld(k sandbox.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.synced {
		o.listed[k] = true
	}
}

func (o *orders) remove(k sandbox.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byKey, k)
}

// sync ends the first list: what was kept and is not in it is no order any more.
func (o *orders) sync() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.synced {
		return
	}
	for k := range o.byKey {
		if !o.listed[k] {
			delete(o.byKey, k)
		}
	}
	o.synced, o.listed = true, nil
}

// watchOrders follows the work orders, and the node's own Node, until ctx ends: one
// subscription more costs the cluster less than a watch through the apiserver.
func (a *agent) watchOrders(ctx context.Context) error {
	filters := []string{bus.AssignedFilter(a.Node)}
	if own := bus.OwnNodeFilter(a.Node); own != "" {
		filters = append(filters, own)
	}
	for e := range a.state.Watch(ctx, a.client.StateLister(), filters...) {
		switch {
		case e.Synced:
			a.orders.sync()
			a.synced(ctx)
		case e.Progress:
		default:
			if err := a.take(e.Entry); err != nil {
				a.Log.Error("take work order", "key", e.Key, "error", err)
			}
		}
	}
	return ctx.Err()
}

// take takes in one changed work order, or the node's own Node.
func (a *agent) take(e store.Entry) error {
	k, err := bus.ParseStateKey(e.Key)
	if err != nil {
		return err
	}
	if k.Ref.Resource == schemas.Nodes {
		return a.takeNode(e)
	}
	key := sandbox.Key{Namespace: k.Ref.Namespace, Name: k.Ref.Name}
	if e.Deleted {
		a.orders.remove(key)
		a.pods.Add(key)
		return nil
	}
	l, err := a.Alike.Lean(e.Value, string(key.Name))
	if err == nil && (l.Namespace() != string(key.Namespace) || l.Name() != string(key.Name)) {
		err = fmt.Errorf("it holds pod %s", pod.KeyOf(l.Pod()))
	}
	if err != nil {
		a.orders.keepOld(key)
		return fmt.Errorf("decode: %w", err)
	}
	a.orders.put(key, l)
	if len(l.Spec().Volumes) > 0 {
		a.volumes.Ordered(l.Pod())
	}
	a.pods.Add(key)
	return nil
}

func (a *agent) takeNode(e store.Entry) error {
	if e.Deleted {
		a.node.Saw(nil)
		return nil
	}
	n := &v1.Node{}
	if err := json.Unmarshal(e.Value, n); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	a.node.Saw(n)
	return nil
}

// synced looks at everything again now that the lack of an order means something:
// orders that were only kept, sandboxes, and statuses that this node once reported.
func (a *agent) synced(ctx context.Context) {
	a.addAll()
	if a.restored {
		return // nobody else writes them: they are known
	}
	entries, err := a.poster.Sync(ctx)
	if err != nil {
		a.Log.Warn("list own statuses", "error", err)
		return
	}
	for _, e := range entries {
		if k, err := bus.ParseStateKey(e.Key); err == nil && k.Ref.Namespace != "" {
			a.pods.Add(sandbox.Key{Namespace: k.Ref.Namespace, Name: k.Ref.Name})
		}
	}
}
