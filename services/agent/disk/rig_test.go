//go:build linux

package disk

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/flex"
	"github.com/skerry/skerry/services/agent/mount"
)

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "iscsiadm":
		os.Exit(iscsiadm(filepath.Dir(filepath.Dir(os.Args[0])), os.Args[1:]))
	case "victim":
		os.Exit(victim(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// rig is a host whose devices are loop devices: their names, and what the kernel tells of them,
// are files below dir. File systems and mounts are real.
type rig struct {
	*testing.T
	*Manager
	dir string
}

func newRig(t *testing.T) *rig {
	if os.Geteuid() != 0 {
		t.Fatal("disks are mounted: run the tests as root")
	}
	g := &rig{T: t, dir: t.TempDir()}
	for _, d := range []string{"dev/disk/by-path", "dev/disk/by-id", "sys/block", "sys/class/scsi_host/host0", "programs", "pods"} {
		g.must(os.MkdirAll(filepath.Join(g.dir, d), 0o755))
	}
	g.must(os.WriteFile(g.path("sys/class/scsi_host/host0/scan"), nil, 0o644))
	t.Cleanup(func() {
		if err := mount.Unmount(g.dir); err != nil {
			t.Error(err)
		}
	})
	g.start()
	return g
}

// start starts a manager, as if the agent had just begun.
func (g *rig) start() { g.Manager = managerAt(g.dir) }

func managerAt(dir string) *Manager {
	return New(Config{
		Dir: filepath.Join(dir, "disks"), Pods: filepath.Join(dir, "pods"), Log: slog.New(slog.DiscardHandler), Drivers: &flex.Drivers{},
		Host: Host{Dev: filepath.Join(dir, "dev"), Sys: filepath.Join(dir, "sys"), Programs: filepath.Join(dir, "programs"), Patience: 300 * time.Millisecond},
	})
}

func (g *rig) path(p string) string { return filepath.Join(g.dir, p) }

func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *rig) file(p string) string {
	g.Helper()
	b, err := os.ReadFile(g.path(p))
	g.must(err)
	return string(b)
}

func (g *rig) write(p, text string) {
	g.Helper()
	g.must(os.MkdirAll(filepath.Dir(g.path(p)), 0o755))
	g.must(os.WriteFile(g.path(p), []byte(text), 0o644))
}

// program puts a shell script in place of a program of the host.
func (g *rig) program(name, script string) {
	g.Helper()
	g.must(os.WriteFile(g.path("programs/"+name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

// device is an empty block device, which the kernel would let go of by its file "delete".
func (g *rig) device() string {
	g.Helper()
	const size = 320 << 20 // xfs makes none smaller; the file is sparse
	image := filepath.Join(g.TempDir(), "image")
	g.must(os.WriteFile(image, nil, 0o600))
	g.must(os.Truncate(image, size))
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		g.Fatalf("make loop device: %v", err)
	}
	device := strings.TrimSpace(string(out))
	g.Cleanup(func() {
		if err := errors.Join(mount.Unmount(g.dir), exec.Command("losetup", "--detach", device).Run()); err != nil {
			g.Errorf("remove loop device: %v", err)
		}
	})
	name := filepath.Base(device)
	g.write("sys/block/"+name+"/device/delete", "")
	g.must(os.Symlink(device, g.path("dev/"+name)))
	return device
}

// fibre names device as udev names one behind Fibre Channel.
func (g *rig) fibre(device, wwn string) {
	g.Helper()
	g.must(os.Symlink(device, g.path("dev/disk/by-path/pci-0000:00:06.0-fc-0x"+wwn+"-lun-0")))
}

func (g *rig) pod(name string) string { return g.path("pods/" + name + "/volumes/kubernetes.io~fc/v") }

func (g *rig) mount(d Disk, at string) error { return g.Mount(g.Context(), d, at, nil) }

// leave is the end of a pod.
func (g *rig) leave(at string) {
	g.Helper()
	g.must(mount.Unmount(at))
}

// settle has all disks looked at once.
func (g *rig) settle() error {
	names, err := g.names()
	g.must(err)
	var errs []error
	for _, n := range names {
		_, err := g.release(context.Background(), n)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// settled has all disks looked at until none is in use that was left. A container that somebody starts on this host begins
// with a copy of all of the host's mounts: for that moment, a file system that was unmounted is not gone.
func (g *rig) settled() {
	g.Helper()
	var err error
	await(g.Context(), 20*time.Second, func() bool {
		err = g.settle()
		return !errors.Is(err, unix.EBUSY)
	})
	g.must(err)
}

func (g *rig) mounts() int {
	g.Helper()
	at, err := mount.Below(g.dir)
	g.must(err)
	return len(at)
}

func (g *rig) format(device, kind string, args ...string) {
	g.Helper()
	if out, err := exec.Command("mkfs."+kind, append(args, device)...).CombinedOutput(); err != nil {
		g.Fatalf("%v: %s", err, out)
	}
}

func fc(wwn string) Disk { return Disk{FC: &FC{TargetWWNs: []string{wwn}}} }
