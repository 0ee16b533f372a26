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
	"time"
)

// flushLimit bounds what writes a device's last data.
const flushLimit = time.Minute

// rescan has the kernel look for disks that are new at its SCSI hosts.
func (h Host) rescan() {
	hosts, _ := os.ReadDir(filepath.Join(h.Sys, "class", "scsi_host"))
	for _, e := range hosts {
		_ = tell(filepath.Join(h.Sys, "class", "scsi_host", e.Name(), "scan"), "- - -")
	}
}

// tell writes to a file of the kernel's; one that is not there is not made.
func tell(path, what string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(what)
	return errors.Join(err, f.Close())
}

// remove lets go of devices: the multipath devices over them, then themselves. It fails, and removes
// none, while one is in use.
func (h Host) remove(ctx context.Context, devices []string) error {
	var maps []string
	for _, d := range devices {
		if dm := h.multipath(d); dm != "" && !slices.Contains(maps, dm) {
			maps = append(maps, dm)
			for _, p := range h.paths(dm) {
				if !slices.Contains(devices, p) {
					devices = append(devices, p)
				}
			}
		}
	}
	for _, dm := range maps {
		if err := idle(dm); err != nil {
			return err
		}
		if out, err := h.run(ctx, flushLimit, "multipath", "-f", dm); err != nil {
			return fmt.Errorf("failed to flush multipath device %s: %w: %s", dm, err, out)
		}
	}
	for _, d := range devices {
		if slices.Contains(maps, d) {
			continue
		}
		if err := idle(d); err != nil {
			return err
		}
	}
	for _, d := range devices {
		if slices.Contains(maps, d) {
			continue
		}
		_, _ = h.run(ctx, flushLimit, "blockdev", "--flushbufs", d)
		err := tell(filepath.Join(h.Sys, "block", filepath.Base(d), "device", "delete"), "1")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove device %s: %w", d, err)
		}
	}
	return nil
}
