//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/skerry/skerry/services/agent/flex"
	"github.com/skerry/skerry/services/agent/mount"
)

// Flex is a volume whose device a FlexVolume driver of the host attaches.
type Flex struct {
	Driver  string            `json:"driver"`
	Volume  string            `json:"volume"`
	Node    string            `json:"node"`
	Options map[string]string `json:"options"` // no secrets: an attachment is told of none
}

func (f *Flex) identity() string {
	var options []string
	for _, k := range slices.Sorted(maps.Keys(f.Options)) {
		options = append(options, k, f.Options[k])
	}
	return fmt.Sprintf("%q %q %q", f.Driver, f.Volume, options)
}

func (f *Flex) attach(ctx context.Context, m *Manager) (string, error) {
	d, err := m.Drivers.Find(ctx, f.Driver)
	if err != nil {
		return "", err
	}
	return d.AttachDevice(ctx, f.Options, f.Node)
}

// mountDevice has the driver mount the device; done is false if that is left to the agent.
func (f *Flex) mountDevice(ctx context.Context, m *Manager, at, device string) (done bool, err error) {
	d, err := m.Drivers.Find(ctx, f.Driver)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(at, 0o750); err != nil {
		return false, err
	}
	err = d.MountDevice(ctx, at, device, f.Options)
	if errors.Is(err, flex.ErrNotSupported) {
		return device == "", nil
	}
	return true, err
}

// unmountDevice has the driver unmount what is mounted at at, if it wants to.
func (f *Flex) unmountDevice(ctx context.Context, m *Manager, at string) error {
	if _, there, err := mount.At(at); err != nil || !there {
		return err
	}
	d, err := m.Drivers.Find(ctx, f.Driver)
	if err != nil {
		return err
	}
	if err := d.UnmountDevice(ctx, at); err != nil && !errors.Is(err, flex.ErrNotSupported) {
		return err
	}
	return nil
}

func (f *Flex) detach(ctx context.Context, m *Manager, _ string) error {
	d, err := m.Drivers.Find(ctx, f.Driver)
	if err != nil {
		return err
	}
	return d.DetachDevice(ctx, f.Volume, f.Node)
}

// held tells whether a pod has a directory for the volume: its driver may mount there whatever it wants.
func (f *Flex) held(m *Manager) (bool, error) {
	dir, err := flex.DirName(f.Driver)
	if err != nil {
		return false, err
	}
	pods, err := os.ReadDir(m.Pods)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	for _, p := range pods {
		if _, err := os.Lstat(filepath.Join(m.Pods, p.Name(), "volumes", dir, f.Volume)); err == nil {
			return true, nil
		}
	}
	return false, nil
}
