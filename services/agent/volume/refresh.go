//go:build linux

package volume

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/skerry/skerry/schemas"
)

// Changed tells that an object was made, changed or removed.
func (m *Manager) Changed(ref schemas.Ref) {
	m.recent.forget(ref)
	m.mu.Lock()
	defer m.mu.Unlock()
	if told := m.expected[ref]; told != nil {
		close(told)
		delete(m.expected, ref)
	}
	for uid := range m.users[ref] {
		m.loop.Add(uid)
	}
}

// Objects are the objects that volumes are made of and that may change.
func (m *Manager) Objects() []schemas.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	refs := make([]schemas.Ref, 0, len(m.users))
	for ref := range m.users {
		refs = append(refs, ref)
	}
	return refs
}

// refresh writes the files of one pod's volumes anew, as far as they have changed.
func (m *Manager) refresh(ctx context.Context, uid types.UID) (time.Duration, error) {
	m.mu.Lock()
	s := m.known[uid]
	var p *v1.Pod
	waiting := false
	if s != nil {
		p, waiting = s.pod, s.waiting
	}
	m.mu.Unlock()
	if s == nil {
		return 0, nil
	}
	if waiting {
		m.Retry(keyOf(p))
		return 0, nil
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.gone {
		return 0, nil
	}
	var errs, again []error
	for i := range p.Spec.Volumes {
		err := m.rewrite(ctx, s, p, &p.Spec.Volumes[i])
		if err == nil {
			continue
		}
		err = &setUpError{p.Spec.Volumes[i].Name, err}
		errs = append(errs, err)
		if !lacks(err) { // it is told of when it is there again
			again = append(again, err)
		}
	}
	m.tell(s, p, errors.Join(errs...))
	return m.renewal(s), errors.Join(again...)
}

// lacks tells whether err is about nothing but what is not there.
func lacks(err error) bool {
	var several utilerrors.Aggregate
	if errors.As(err, &several) {
		return !slices.ContainsFunc(several.Errors(), func(e error) bool { return !lacks(e) })
	}
	var missing missingError
	return errors.As(err, &missing)
}

// rewrite writes the files of one volume anew, if there is such a volume: until then it is
// its pod's start that makes it.
func (m *Manager) rewrite(ctx context.Context, s *state, p *v1.Pod, v *v1.Volume) error {
	k := kindOf(v)
	path := m.path(p.UID, k, v.Name)
	if k == kindCSI {
		return m.republish(ctx, s, p, v, path)
	}
	if !k.made() {
		return nil
	}
	if !filled(path) {
		return nil
	}
	want, err := m.payloadOf(ctx, s, p, v, &m.recent, false)
	if err != nil {
		return err
	}
	return m.fill(p, v, path, want)
}

// tell records a failure once, not at each try.
func (m *Manager) tell(s *state, p *v1.Pod, err error) {
	if err == nil {
		s.failed = ""
		return
	}
	if s.failed != err.Error() && p.DeletionTimestamp == nil {
		s.failed = err.Error()
		m.Recorder.Event(p, v1.EventTypeWarning, "FailedMount", s.failed)
	}
}

// recent reads objects for many pods at once: what was read a moment ago, and is not
// known to have changed since, is not asked for again. It implements Source.
type recent struct {
	source Source
	now    func() time.Time

	mu      sync.Mutex
	entries map[schemas.Ref]*reading
}

// reading is one object as read; ready closes when it is.
type reading struct {
	ready chan struct{}
	obj   any
	err   error
	at    time.Time
}

const (
	recentFor = 2 * time.Second
	// manyRecent is when those that are old are looked for.
	manyRecent = 64
)

// ConfigMap implements env.Source.
func (r *recent) ConfigMap(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	ref := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: ns, Name: name}
	return share(r, ref, func() (*v1.ConfigMap, error) { return r.source.ConfigMap(ctx, ns, name) })
}

// Secret implements env.Source.
func (r *recent) Secret(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.Secret, error) {
	ref := schemas.Ref{Resource: schemas.Secrets, Namespace: ns, Name: name}
	return share(r, ref, func() (*v1.Secret, error) { return r.source.Secret(ctx, ns, name) })
}

func share[T any](r *recent, ref schemas.Ref, read func() (T, error)) (T, error) {
	r.mu.Lock()
	e := r.entries[ref]
	if e == nil || r.now().Sub(e.at) > recentFor {
		e = &reading{ready: make(chan struct{}), at: r.now()}
		r.entries[ref] = e
		r.sweepLocked()
		r.mu.Unlock()
		e.obj, e.err = read()
		close(e.ready)
	} else {
		r.mu.Unlock()
		<-e.ready // bounded by the source's own patience
	}
	if e.err != nil {
		r.forget(ref)
	}
	obj, _ := e.obj.(T)
	return obj, e.err
}

// forget has the object read again by whoever asks from now on.
func (r *recent) forget(ref schemas.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, ref)
}

func (r *recent) sweepLocked() {
	if len(r.entries) < manyRecent {
		return
	}
	maps.DeleteFunc(r.entries, func(_ schemas.Ref, e *reading) bool { return r.now().Sub(e.at) > recentFor })
}
