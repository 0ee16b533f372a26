package replica

import (
	"sync"
	"time"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

const (
	// largeList is the length from which a list is worth remembering for its next page.
	largeList = 1000
	// keptLists is how many are remembered, and keptFor how long after they were made.
	keptLists = 4
	keptFor   = 10 * time.Second
)

// moment is what a list is of.
type moment struct {
	resource schemas.Resource
	ns       schemas.Namespace
	rev      store.Revision
}

// recent remembers a few large lists: the pages of one are asked for one after the
// other. Safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	lists []keptList // the newest last
}

type keptList struct {
	of   moment
	objs []schemas.Object
	drop *time.Timer
}

func (c *recent) get(m moment) ([]schemas.Object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lists {
		if l.of == m {
			return l.objs, true
		}
	}
	return nil, false
}

func (c *recent) put(m moment, objs []schemas.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lists) == keptLists {
		c.lists[0].drop.Stop()
		c.lists = append([]keptList(nil), c.lists[1:]...)
	}
	c.lists = append(c.lists, keptList{m, objs, time.AfterFunc(keptFor, func() { c.forget(m) })})
}

func (c *recent) forget(m moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, l := range c.lists {
		if l.of == m {
			c.lists = append(c.lists[:i:i], c.lists[i+1:]...)
			return
		}
	}
}
