//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FC is a disk behind Fibre Channel: a LUN of targets, or a disk by its identifiers.
type FC struct {
	TargetWWNs []string `json:"targetWWNs,omitempty"`
	LUN        int32    `json:"lun,omitempty"`
	WWIDs      []string `json:"wwids,omitempty"`
}

func (f *FC) identity() string {
	if len(f.TargetWWNs) > 0 {
		return fmt.Sprintf("%q:%d", f.TargetWWNs, f.LUN)
	}
	return fmt.Sprintf("%q", f.WWIDs)
}

// attach finds the disk; the kernel is asked to look at its hosts again. A multipath device goes
// before one of its paths.
func (f *FC) attach(ctx context.Context, m *Manager) (string, error) {
	disk, dm := f.find(&m.Host)
	if dm != "" {
		return dm, nil
	}
	m.Host.rescan()
	await(ctx, m.Host.Patience, func() bool {
		disk, dm = f.find(&m.Host)
		return disk != ""
	})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case dm != "":
		return dm, nil
	case disk == "":
		return "", errors.New("no fc disk found")
	}
	return disk, nil
}

// find is the last path of the disk that there is, or one of a multipath device and that device.
func (f *FC) find(h *Host) (disk, dm string) {
	for _, one := range f.links(h) {
		device, err := h.block(one)
		if err != nil {
			continue
		}
		if disk, dm = device, h.multipath(device); dm != "" {
			return disk, dm
		}
	}
	return disk, ""
}

// links are the names that udev has given to the disk's devices.
func (f *FC) links(h *Host) []string {
	dir, is := filepath.Join(h.Dev, "disk", "by-id"), f.isID
	if len(f.TargetWWNs) > 0 {
		dir, is = filepath.Join(h.Dev, "disk", "by-path"), f.isPath
	}
	entries, _ := os.ReadDir(dir)
	var out []string
	for _, e := range entries {
		if is(e.Name()) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// isPath tells whether name is like pci-0000:00:06.0-fc-0x500a0981891b8dc5-lun-0.
func (f *FC) isPath(name string) bool {
	for _, wwn := range f.TargetWWNs {
		before, ok := strings.CutSuffix(name, fmt.Sprintf("fc-0x%s-lun-%d", wwn, f.LUN))
		if ok && (before == "" || strings.HasPrefix(before, "pci-") && strings.HasSuffix(before, "-")) {
			return true
		}
	}
	return false
}

func (f *FC) isID(name string) bool {
	for _, id := range f.WWIDs {
		if name == "scsi-"+strings.ReplaceAll(id, " ", "_") {
			return true
		}
	}
	return false
}

// detach removes the disk's SCSI devices from the kernel.
func (f *FC) detach(ctx context.Context, m *Manager, _ string) error {
	var devices []string
	for _, one := range f.links(&m.Host) {
		device, err := m.Host.block(one)
		if err != nil {
			continue // it is gone
		}
		devices = append(devices, device)
	}
	return m.Host.remove(ctx, devices)
}
