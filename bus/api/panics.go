package api

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// Panics passes on panics of goroutines that work for a request: there, nobody would turn them into an error, and they would end
// the process. The zero value has none.
type Panics struct {
	mu    sync.Mutex
	first string
}

// Catch is to be deferred by the goroutine.
func (p *Panics) Catch() {
	v := recover()
	if v == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == "" {
		p.first = fmt.Sprintf("%v\n%s", v, debug.Stack())
	}
}

// Raise panics if one of the goroutines did. They have ended.
func (p *Panics) Raise() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first != "" {
		panic(p.first)
	}
}
