package view

import (
	"encoding/json"
	"reflect"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// kind is r's in the table, or what stands for it while the table has none.
func (v *View) kind(r schemas.Resource) *schemas.Kind {
	if k := v.table.ByResource(r); k != nil {
		return k
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.strange[r]
	if k == nil {
		k = &schemas.Kind{Resource: r, New: func() schemas.Object {
			return &unstructured.Unstructured{Object: map[string]any{}}
		}}
		v.strange[r] = k
		v.log.Info("the state has objects of a kind that is not known here", "resource", r.String())
	}
	return k
}

// retype has the objects of a resource be of the kind that the table has now. Nobody is told: they
// say what they said.
func (v *View) retype(c schemas.Change) {
	r := c.Resource()
	kind := v.kind(r)
	v.turn.Lock()
	defer v.turn.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range v.objects[r] {
		o.kind = kind
		for p := range o.parts() {
			v.reread(o, p)
		}
		if o.joined == nil || !o.desired.known {
			continue // the next change tells
		}
		old, use := o.joined, o.used
		o.joined = join.Join(kind, o.desired.object(), use.assigned.object(), use.observed.object(), use.current.object())
		o.joined.SetResourceVersion(strconv.FormatUint(uint64(o.rev), 10))
		v.index.replace(o, old)
	}
}

// reread makes p of the type of o's kind; v.mu is held.
func (v *View) reread(o *object, p *part) {
	if p.obj == nil || reflect.TypeOf(p.obj) == reflect.TypeOf(o.kind.New()) {
		return
	}
	text, err := json.Marshal(p.obj)
	if err != nil {
		v.log.Error("an object cannot be encoded", "key", p.key, "error", err)
		return
	}
	again, err := decodeAny(o.kind, text)
	if err != nil {
		v.log.Warn("an object is not what its kind says", "key", p.key, "error", err)
		p.known = false
		return
	}
	p.value = *again
}
