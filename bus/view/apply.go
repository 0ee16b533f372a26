package view

import (
	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
)

// apply takes in one key's change and returns what it does to the joined object.
func (v *View) apply(e store.Entry) []Change {
	if e.Key.Reserved() {
		return nil
	}
	k, err := bus.ParseStateKey(e.Key)
	if err != nil {
		v.logOdd(e.Key, err)
		return nil
	}
	kind := v.kind(k.Ref.Resource)
	var decoded *value
	if !e.Deleted {
		if decoded, err = v.decode(kind, k, e.Value); err != nil {
			v.logOdd(e.Key, err)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.touched.take(k, e)
	o := v.find(k.Ref)
	if o == nil {
		if e.Deleted {
			return nil
		}
		o = v.add(kind, k.Ref)
	}
	o.put(k, e, decoded)
	old := o.joined
	changes := v.rejoin(o, e.Revision)
	for i := range changes {
		changes[i].Part = k.Prefix
	}
	v.index.replace(o, old)
	v.index.mark(o)
	if o.empty() {
		delete(v.objects[k.Ref.Resource], o.name)
	}
	return changes
}

// logOdd says once per key that it is skipped.
func (v *View) logOdd(k bus.Key, err error) {
	v.mu.Lock()
	said := v.odd[k]
	if len(v.odd) < maxOdd {
		v.odd[k] = true
	}
	v.mu.Unlock()
	if !said {
		v.log.Warn("skip a key of the state that is not understood", "key", k, "error", err)
	}
}

// maxOdd bounds the memory of what was logged.
const maxOdd = 10_000
