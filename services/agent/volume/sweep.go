//go:build linux

package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/mount"
)

// Remove unmounts and removes all that there is of a pod's volumes. The pod must not run any more.
func (m *Manager) Remove(uid types.UID) error {
	if m.simulated() {
		return nil
	}
	m.mu.Lock()
	s := m.known[uid]
	again := func() {}
	if s != nil {
		key := keyOf(s.pod)
		again = func() { m.Retry(key) }
	}
	delete(m.known, uid)
	for ref := range m.users {
		m.leave(ref, uid)
	}
	m.mu.Unlock()
	if s != nil {
		s.turn.Lock()
		defer s.turn.Unlock()
		s.gone = true
	}
	return errors.Join(m.clear(uid, again), m.disks.Collect())
}

func (m *Manager) clear(uid types.UID, again func()) error {
	if uid == "" || filepath.Base(string(uid)) != string(uid) || uid == "." || uid == ".." {
		return fmt.Errorf("remove volumes: %q is no pod's uid", uid)
	}
	var errs []error
	for _, dir := range []string{filepath.Join(m.pods, string(uid)), filepath.Join(m.memory, string(uid))} {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := m.let(uid, dir, again); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, removeTree(dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove volumes of pod %s: %w", uid, err)
	}
	return nil
}

// let ends what is under way for a pod's volumes in dir, and what they hold of others.
func (m *Manager) let(uid types.UID, dir string, again func()) error {
	if err := errors.Join(m.slow.abandon(dir), m.unpublish(uid, again), m.unmountFlex(uid, again)); err != nil {
		return err
	}
	return errors.Join(mount.Unmount(dir), m.releaseImages(uid))
}

// Sweep removes the volumes of all pods that needed does not name: an agent that ended
// in the middle leaves some. It is asked only if there are volumes, and after they were looked for.
func (m *Manager) Sweep(needed func() (map[types.UID]bool, error)) error {
	if m.simulated() {
		return nil
	}
	uids := map[types.UID]bool{}
	for _, dir := range []string{m.pods, m.memory} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("sweep volumes: %w", err)
		}
		for _, e := range entries {
			uids[types.UID(e.Name())] = true
		}
	}
	m.mu.Lock()
	for uid := range m.known {
		uids[uid] = true
	}
	m.mu.Unlock()
	errs := []error{m.disks.Collect()}
	if len(uids) == 0 {
		return errs[0]
	}
	keep, err := needed()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for uid := range uids {
		if !keep[uid] {
			errs = append(errs, m.Remove(uid))
		}
	}
	return errors.Join(errs...)
}
