//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/mount"
)

const (
	// busyAgain is when a disk is looked at again that somebody is mounting.
	busyAgain = time.Second
	// detachLimit bounds one try to let go of a disk.
	detachLimit = 5 * time.Minute
)

// release lets go of the disk called name if no pod has it.
func (m *Manager) release(ctx context.Context, name string) (time.Duration, error) {
	unlock, ok := m.locks.try(name)
	if !ok {
		return busyAgain, nil
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, detachLimit)
	defer cancel()
	d, err := m.recall(name)
	if err != nil {
		return 0, err
	}
	use, err := m.use(name)
	if err != nil || use.pods > 0 {
		return 0, err
	}
	if d != nil && d.Flex != nil {
		if held, err := d.Flex.held(m); err != nil || held {
			return 0, err
		}
	}
	if d != nil && d.Flex != nil {
		if err := d.Flex.unmountDevice(ctx, m, m.global(name)); err != nil {
			return 0, fmt.Errorf("unmount disk %s: %w", name, err)
		}
	}
	if err := unmount(m.global(name)); err != nil {
		return 0, err
	}
	// The same device by another name is that one's to let go of.
	if d != nil && use.others == 0 {
		if err := d.source().detach(ctx, m, name); err != nil {
			return 0, fmt.Errorf("detach disk %s: %w", name, err)
		}
	}
	return 0, m.forget(name)
}

// forget removes the disk's directory, the record last.
func (m *Manager) forget(name string) error {
	for _, path := range []string{m.global(name), m.recordFile(name) + ".new", m.recordFile(name), filepath.Join(m.Dir, name)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget disk %s: %w", name, err)
		}
	}
	return nil
}

// use is who has a mounted disk.
type use struct {
	pods   int // mounts of pods
	others int // mounts of the same device by another name
}

// use asks the kernel: what an agent remembers is lost with it.
func (m *Manager) use(name string) (use, error) {
	var out use
	table, err := mount.Table()
	if err != nil {
		return out, err
	}
	global := m.global(name)
	at := slices.IndexFunc(table, func(e mount.Entry) bool { return e.At == global })
	if at < 0 {
		return out, nil
	}
	for _, e := range table {
		switch {
		case e.Device != table[at].Device || e.At == global:
		case strings.HasPrefix(e.At, m.Pods+"/"):
			out.pods++
		case strings.HasPrefix(e.At, m.Dir+"/"):
			out.others++
		}
	}
	return out, nil
}

// unmount unmounts a disk, and fails while somebody uses it: its device goes next.
func unmount(at string) error {
	for {
		_, there, err := mount.At(at)
		if err != nil || !there {
			return err
		}
		if err := unix.Unmount(at, unix.UMOUNT_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "unmount", Path: at, Err: err}
		}
	}
}
