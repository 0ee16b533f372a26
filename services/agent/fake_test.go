//go:build linux

package agent_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// control is as much of a control plane as an agent sees: an apiserver over a map
// that gives every node a pod CIDR, and removes a work order with its pod.
type control struct {
	state *store.Store

	mu      sync.Mutex
	objects map[schemas.Ref]schemas.Object
	events  []string
	said    []string // their messages
}

func (c *control) Do(ctx context.Context, r *api.Request) (*api.Reply, error) {
	if r.Verb == api.VerbState {
		entries, rev, err := c.state.List(ctx, r.Filters...)
		if err != nil {
			return nil, err
		}
		body, err := api.EncodeState(entries, rev)
		return &api.Reply{Body: body}, err
	}
	if r.Verb == api.VerbCreateMany || r.Verb == api.VerbDeleteMany {
		briefs, err := api.Each(ctx, r, c.Do)
		if err != nil {
			return nil, err
		}
		body, err := api.EncodeBriefs(briefs)
		return &api.Reply{Body: body}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	obj := c.objects[r.Ref()]
	switch {
	case r.Verb == api.VerbCreate && r.Resource == schemas.Nodes:
		n := &v1.Node{}
		if err := json.Unmarshal(r.Body, n); err != nil {
			return nil, err
		}
		if obj != nil {
			return nil, apierrors.NewAlreadyExists(schema.GroupResource{Resource: "nodes"}, n.Name)
		}
		n.UID, n.Spec.PodCIDR, n.ResourceVersion = "node-uid", "10.244.3.0/24", "1"
		obj = n
		c.objects[r.Ref()] = n
	case r.Verb == api.VerbCreate:
		e := &v1.Event{}
		if err := json.Unmarshal(r.Body, e); err != nil {
			return nil, err
		}
		c.events, c.said = append(c.events, e.Reason), append(c.said, e.Message)
		obj = e
	case r.Verb == api.VerbPatch && r.Resource == schemas.Events:
		obj = &v1.Event{}
	case obj == nil:
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: r.Resource.Plural}, string(r.Name))
	case r.Verb == api.VerbDelete:
		if want := r.Delete.Preconditions.UID; want == nil || *want != obj.GetUID() || *r.Delete.GracePeriodSeconds != 0 {
			return nil, apierrors.NewBadRequest("not the end of a graceful deletion")
		}
		delete(c.objects, r.Ref())
	}
	if r.Brief {
		return &api.Reply{Body: []byte("{}")}, nil
	}
	body, err := json.Marshal(obj)
	return &api.Reply{Body: body}, err
}

func (c *control) Watch(context.Context, *api.Request) (api.Source, error) {
	return api.Events(func(ctx context.Context, _ func(api.WatchEvent) error) error {
		<-ctx.Done()
		return nil
	}), nil
}

func (c *control) put(r schemas.Resource, obj schemas.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[schemas.RefOf(r, obj)] = obj
}

func (c *control) has(ref schemas.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[ref] != nil
}

// assign writes a work order, as the scheduler does.
func (c *control) assign(t *testing.T, p *v1.Pod) {
	t.Helper()
	p.TypeMeta.APIVersion, p.TypeMeta.Kind = "v1", "Pod"
	p.Spec.NodeName = node
	c.put(schemas.Pods, p)
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, bus.AssignedKey(node, schemas.Namespace(p.Namespace), schemas.Name(p.Name)), data)
}

func (c *control) unassign(t *testing.T, p *v1.Pod) {
	t.Helper()
	c.write(t, bus.AssignedKey(node, schemas.Namespace(p.Namespace), schemas.Name(p.Name)), nil)
}

func (c *control) write(t *testing.T, k bus.Key, data []byte) {
	t.Helper()
	rev := store.Revision(0)
	if e, err := c.state.Get(t.Context(), k); err == nil {
		rev = e.Revision
	}
	if _, err := c.state.Apply(t.Context(), store.Op{Key: k, Value: data, Revision: rev}); err != nil {
		t.Fatal(err)
	}
}
