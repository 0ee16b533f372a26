package registry

import (
	"slices"
	"sync"
	"time"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/squeeze"
	"github.com/skerry/skerry/schemas"
)

const (
	// keptPages is how many bytes of compressed lists are kept for the next who wants the same,
	// and keptPagesFor how long after the first of them was made. What has fewer objects than
	// leastPage is made again.
	keptPages    = 4 << 20
	keptPagesFor = 10 * time.Second
	leastPage    = 32
)

// pages has lists that were compressed just now: one that did not change is asked for again
// and again, or by many at once. Objects of a copy are never changed, only replaced, so that
// the same head and objects are the same text. Safe for concurrent use.
type pages struct {
	mu    sync.Mutex
	of    map[pageKey]*sheet
	bytes int
}

// pageKey is most of what tells lists apart: their objects are compared besides.
type pageKey struct {
	resource    schemas.Resource
	head        string // metadata as JSON
	first, last schemas.Object
	n           int
}

type sheet struct {
	objs  []schemas.Object
	reply func() (*api.Reply, error) // works it out once, for all who ask at the same time
}

// get returns the list of objs under head: what render makes, compressed if it is large.
func (p *pages) get(r schemas.Resource, head string, objs []schemas.Object, render func() ([]byte, error)) (*api.Reply, error) {
	if len(objs) < leastPage {
		return squeezed(render())
	}
	key := pageKey{r, head, objs[0], objs[len(objs)-1], len(objs)}
	p.mu.Lock()
	have := p.of[key]
	if have == nil && p.bytes < keptPages {
		have = p.add(key, objs, render)
	}
	p.mu.Unlock()
	if have == nil || !slices.Equal(have.objs, objs) {
		return squeezed(render())
	}
	return have.reply()
}

// add remembers what becomes of objs. It needs p.mu.
func (p *pages) add(key pageKey, objs []schemas.Object, render func() ([]byte, error)) *sheet {
	if p.of == nil {
		p.of = map[pageKey]*sheet{}
		time.AfterFunc(keptPagesFor, p.forget)
	}
	one := &sheet{objs: objs}
	one.reply = sync.OnceValues(func() (*api.Reply, error) {
		out, err := squeezed(render())
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.of[key] != one {
			return out, err
		}
		if size := len(key.head) + 16*len(objs); err == nil && out.Gzip && p.bytes+size+len(out.Body) <= keptPages {
			p.bytes += size + len(out.Body)
		} else {
			delete(p.of, key)
		}
		return out, err
	})
	p.of[key] = one
	return one
}

func (p *pages) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of, p.bytes = nil, 0
}

// squeezed is the reply of a body, compressed if that is worth it.
func squeezed(body []byte, err error) (*api.Reply, error) {
	if err != nil || len(body) < squeeze.From {
		return &api.Reply{Body: body}, err
	}
	return &api.Reply{Body: squeeze.Gzip(body), Gzip: true}, nil
}
