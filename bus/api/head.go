package api

import (
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

const (
	// knownHeads bounds how many heads are remembered, and maxKnown how long each is.
	knownHeads = 256
	maxKnown   = 2 << 10
)

// apart returns r without what goes into headerObject, and that; "" if nothing does.
func apart(r *Request) (rest *Request, object string) {
	if r.Name == "" || !plain(string(r.Namespace)) || !plain(string(r.Name)) {
		return r, ""
	}
	out := *r
	out.Namespace, out.Name = "", ""
	return &out, string(r.Namespace) + "/" + string(r.Name)
}

// plain tells whether s is unchanged by being in a header, and has no slash.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '/' {
			return false
		}
	}
	return true
}

// heads remembers what request heads say: reading one is much of the work of a small
// request, and a client's are alike. What it returns is read only. Safe for concurrent use.
type heads struct {
	mu    sync.RWMutex
	known map[string]requestHead
}

// read returns what the head says.
func (h *heads) read(head string) (requestHead, error) {
	h.mu.RLock()
	have, ok := h.known[head]
	h.mu.RUnlock()
	if ok {
		return have, nil
	}
	said, err := decodeHead([]byte(head))
	if err != nil || len(head) > maxKnown {
		return said, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= knownHeads {
		h.known = map[string]requestHead{}
	}
	h.known[strings.Clone(head)] = said
	return said, nil
}

// request is the request that m is, without its timeout, which is in the head.
func (h *heads) request(m *nats.Msg) (*Request, requestHead, error) {
	user, verb, resource, err := bus.ParseAPISubject(m.Subject)
	if err != nil {
		return nil, requestHead{}, badSubject(err)
	}
	said, err := h.read(m.Header.Get(headerRequest))
	if err != nil {
		return nil, said, err
	}
	r := *said.Request
	r.User, r.Verb, r.Resource, r.Body = user, Verb(verb), resource, m.Data
	if r.List != nil {
		list := *r.List
		r.List = &list
	}
	if r.Delete != nil {
		r.Delete = r.Delete.DeepCopy()
	}
	if ns, name, ok := strings.Cut(m.Header.Get(headerObject), "/"); ok {
		r.Namespace, r.Name = schemas.Namespace(ns), schemas.Name(name)
	}
	return &r, said, nil
}
