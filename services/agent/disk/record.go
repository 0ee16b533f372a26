//go:build linux

package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

func (m *Manager) recordFile(name string) string { return filepath.Join(m.Dir, name, "disk.json") }

// remember keeps what is needed to let go of the disk, before anything is done for it. The first
// who asks for a disk decides. Secrets are not kept.
func (m *Manager) remember(name string, d *Disk) error {
	to := m.recordFile(name)
	// One that a power cut left empty is made again: without it nobody knows how to let go of the disk.
	if had, err := m.recall(name); err != nil || had != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("keep record of disk: %w", err)
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("keep record of disk: %w", err)
	}
	if err := os.WriteFile(to+".new", data, 0o600); err != nil {
		return fmt.Errorf("keep record of disk: %w", err)
	}
	return os.Rename(to+".new", to)
}

// recall reads what was kept of a disk; nil if there is nothing, or nothing that can be read:
// a host that lost power in the middle has lost its sessions too.
func (m *Manager) recall(name string) (*Disk, error) {
	data, err := os.ReadFile(m.recordFile(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record of disk: %w", err)
	}
	d := &Disk{}
	if err := json.Unmarshal(data, d); err != nil || d.source() == nil {
		m.Log.Warn("a disk's record cannot be read", "disk", name, "error", err)
		return nil, nil
	}
	return d, nil
}

// locks are locks by name that can be waited for within a context.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	free  chan struct{} // holds one token while nobody has the lock
	users int           // who has it or waits for it; guarded by locks.mu
}

// acquire waits for the lock.
func (l *locks) acquire(ctx context.Context, name string) (unlock func(), err error) {
	one := l.join(name)
	select {
	case <-one.free:
		return func() { one.free <- struct{}{}; l.leave(name, one) }, nil
	case <-ctx.Done():
		l.leave(name, one)
		return nil, ctx.Err()
	}
}

// try takes the lock if nobody has it.
func (l *locks) try(name string) (unlock func(), ok bool) {
	one := l.join(name)
	select {
	case <-one.free:
		return func() { one.free <- struct{}{}; l.leave(name, one) }, true
	default:
		l.leave(name, one)
		return nil, false
	}
}

func (l *locks) join(name string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.held[name]
	if one == nil {
		one = &lock{free: make(chan struct{}, 1)}
		one.free <- struct{}{}
		l.held[name] = one
	}
	one.users++
	return one
}

func (l *locks) leave(name string, one *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, name)
	}
}
