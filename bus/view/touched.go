package view

import (
	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// touched are, by node, the newest revisions at which the Node or a work order of it changed, one
// that is gone by now included: the bucket soon drops its mark. Only nodes that have a Node are in it.
type touched map[schemas.NodeName]store.Revision

// take notes a change.
func (t touched) take(k bus.StateKey, e store.Entry) {
	switch {
	case k.Prefix == bus.PrefixDesired && k.Ref.Resource == schemas.Nodes:
		node := schemas.NodeName(k.Ref.Name)
		if e.Deleted {
			delete(t, node)
			return
		}
		t[node] = e.Revision // what came before it, before there was a Node, is older
	case k.Prefix == bus.PrefixAssigned:
		if was, there := t[k.Node]; there {
			t[k.Node] = max(was, e.Revision)
		}
	}
}

// Touched returns a revision after since at which the Node or a work order of node changed, 0 if there is
// none, and the revision that this is as of. Without such a Node anything is a change. ok is false if since is before
// the first list: what was gone by then is not known.
func (v *View) Touched(node schemas.NodeName, since store.Revision) (newer, last store.Revision, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if since < v.floor || !v.isSynced() {
		return 0, 0, false
	}
	rev, there := v.touched[node]
	if !there {
		rev = v.rev
	}
	if rev > since {
		newer = rev
	}
	return newer, v.rev, true
}
