package reconcile

import (
	"sync"
	"time"
)

// later adds keys when their time comes. While none waits it holds nothing: client-go's
// delaying queue has a goroutine that wakes every ten seconds and room for a thousand keys,
// which is much for each of thousands of agents in one process.
type later[K comparable] struct {
	add func(K)

	mu    sync.Mutex
	waits map[K]wait
	ended bool
}

type wait struct {
	at    time.Time
	timer *time.Timer
}

// after adds key once d has passed, or at its time if it waits for an earlier one.
func (l *later[K]) after(key K, d time.Duration) {
	if d <= 0 {
		l.add(key)
		return
	}
	at := time.Now().Add(d)
	l.mu.Lock()
	defer l.mu.Unlock()
	was, waits := l.waits[key]
	if l.ended || waits && !at.Before(was.at) {
		return
	}
	if waits {
		was.timer.Stop()
	}
	if l.waits == nil {
		l.waits = map[K]wait{}
	}
	l.waits[key] = wait{at: at, timer: time.AfterFunc(d, func() { l.due(key, at) })}
}

// due adds key, unless another time has taken the place of at.
func (l *later[K]) due(key K, at time.Time) {
	l.mu.Lock()
	w, waits := l.waits[key]
	mine := waits && w.at.Equal(at)
	if mine {
		delete(l.waits, key)
	}
	l.mu.Unlock()
	if mine {
		l.add(key)
	}
}

// end forgets what waits, for good.
func (l *later[K]) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.waits {
		w.timer.Stop()
	}
	l.waits, l.ended = nil, true
}
