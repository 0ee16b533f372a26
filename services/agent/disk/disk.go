//go:build linux

// Package disk finds the block devices that pods name, gives them a file system, and mounts them.
//
// Reads: the host's /dev and /sys, what blkid says of a device, the kernel's mounts, and the records
// of what an agent before this one began. Writes: sessions with iSCSI targets, SCSI devices, file
// systems of empty devices, mounts, and disks/<name>/{disk.json,mount} below the agent's data directory.
// What always holds: a device on which blkid finds anything is never formatted; a disk is mounted once on a
// host, however many pods use it; its record is on disk before anything is done for it, and goes
// last, so an agent that is killed in between neither does a thing twice nor leaves one behind; and
// a device is let go of only when the kernel says that nobody uses it.
package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/skerry/skerry/services/agent/flex"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/reconcile"
)

// Disk is a disk that a pod asks for: one of FC, ISCSI and Flex.
type Disk struct {
	FC    *FC    `json:"fc,omitempty"`
	ISCSI *ISCSI `json:"iscsi,omitempty"`
	Flex  *Flex  `json:"flex,omitempty"`
	// FSType is the file system that an empty one gets; "" is ext4.
	FSType   string `json:"-"`
	ReadOnly bool   `json:"-"`
}

// source is a kind of disk: how it is told from others, and how it comes and goes.
type source interface {
	// identity is the same for all who mean the same disk.
	identity() string
	// attach returns the disk's device, once it is there.
	attach(ctx context.Context, m *Manager) (string, error)
	// detach lets go of the disk's devices. Doing it again is harmless.
	detach(ctx context.Context, m *Manager, name string) error
}

// source is the disk's kind; nil if it has none.
func (d *Disk) source() source {
	switch {
	case d.FC != nil:
		return d.FC
	case d.ISCSI != nil:
		return d.ISCSI
	case d.Flex != nil:
		return d.Flex
	}
	return nil
}

// name is the name of the disk's directory: whatever a pod's author wrote, it leads nowhere else.
func (d *Disk) name() string {
	kind := "iscsi"
	if d.FC != nil {
		kind = "fc"
	} else if d.Flex != nil {
		kind = "flex"
	}
	sum := sha256.Sum256([]byte(d.source().identity()))
	return kind + "-" + hex.EncodeToString(sum[:12])
}

// Config is what a Manager works with.
type Config struct {
	Dir  string // of the disks' records and mounts
	Pods string // below which pods have their binds
	Host Host
	// Drivers are those that attach Flex.
	Drivers *flex.Drivers
	Log     *slog.Logger
}

// Manager mounts and lets go of disks. Safe for concurrent use.
type Manager struct {
	Config
	locks locks
	loop  *reconcile.Loop[string]
}

// detachers is how many disks are let go of at once.
const detachers = 2

// New returns a manager. It does no I/O.
func New(c Config) *Manager {
	m := &Manager{Config: c, locks: locks{held: map[string]*lock{}}}
	m.Host = c.Host.complete()
	m.loop = reconcile.New("disk", detachers, c.Log, m.release)
	return m
}

// Run lets go of disks that nobody uses any more until ctx ends. What fails is tried again.
func (m *Manager) Run(ctx context.Context) error { return m.loop.Run(ctx) }

// Error is a step of the kubelet's that failed.
type Error struct {
	Step string // WaitForAttach, MountDevice or SetUp
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func step(name string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{name, err}
}

// Hold has d attached and, unless its driver does without, mounted for all pods of the host. Who has it
// mounts it before anybody has disks collected.
func (m *Manager) Hold(ctx context.Context, d Disk) error {
	name := d.name()
	unlock, err := m.locks.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.remember(name, &d); err != nil {
		return step("MountDevice", err)
	}
	return m.mountOnce(ctx, &d, name)
}

// Mount has d at the directory at, if it is not mounted there. own gives what is on the disk to
// a pod's group before the pod sees it; nil: it stays as it is.
func (m *Manager) Mount(ctx context.Context, d Disk, at string, own func(ctx context.Context, dir string) error) error {
	name := d.name()
	unlock, err := m.locks.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if _, there, err := mount.At(at); err != nil || there {
		return err
	}
	if err := m.remember(name, &d); err != nil {
		return step("MountDevice", err)
	}
	if err := m.mountOnce(ctx, &d, name); err != nil {
		return err
	}
	return step("SetUp", m.bind(ctx, &d, name, at, own))
}

// mountOnce mounts the disk for all its pods, unless it is.
func (m *Manager) mountOnce(ctx context.Context, d *Disk, name string) error {
	global := m.global(name)
	if _, there, err := mount.At(global); err != nil || there {
		return step("MountDevice", err)
	}
	device, err := d.source().attach(ctx, m)
	if err != nil {
		return step("WaitForAttach", err)
	}
	if d.Flex != nil {
		if done, err := d.Flex.mountDevice(ctx, m, global, device); err != nil || done {
			return step("MountDevice", err)
		}
	}
	if device, err = m.Host.block(device); err != nil {
		return step("WaitForAttach", err)
	}
	// Two names can mean one device: who finds it empty formats it alone.
	unlock, err := m.locks.acquire(ctx, "device "+device)
	if err != nil {
		return err
	}
	defer unlock()
	return step("MountDevice", m.Host.formatAndMount(ctx, device, global, d.FSType, d.ReadOnly))
}

// bind shows the disk to a pod.
func (m *Manager) bind(ctx context.Context, d *Disk, name, at string, own func(context.Context, string) error) error {
	global := m.global(name)
	e, there, err := mount.At(global)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("the disk is not mounted at %s any more", global)
	}
	if !d.ReadOnly && (e.Frozen || e.ReadOnly) {
		return errors.New("the disk is mounted read-only on this node: another pod there uses it so, or its file system has errors")
	}
	if own != nil && !d.ReadOnly {
		if err := own(ctx, global); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(at, 0o750); err != nil {
		return err
	}
	f, err := os.Open(global)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return mount.Bind(f, at, false, d.ReadOnly)
}

func (m *Manager) global(name string) string { return filepath.Join(m.Dir, name, "mount") }

// Collect has all disks looked at: those that no pod uses any more are let go of.
func (m *Manager) Collect() error {
	names, err := m.names()
	for _, n := range names {
		m.loop.Add(n)
	}
	return err
}

// names are the disks that there are records of.
func (m *Manager) names() ([]string, error) {
	entries, err := os.ReadDir(m.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list disks: %w", err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
