//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skerry/skerry/services/agent/mount"
)

// TestOneDiskForSeveralPods: an empty disk gets a file system once, its pods see the same files, one of
// them cannot write, and the last one's end lets go of the disk.
func TestOneDiskForSeveralPods(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "500a")
	gone := "sys/block/" + filepath.Base(device) + "/device/delete"
	d, reader := fc("500a"), fc("500a")
	reader.ReadOnly = true
	g.must(g.mount(d, g.pod("a")))
	g.must(g.mount(reader, g.pod("b")))
	g.must(g.mount(d, g.pod("a"))) // again
	g.must(os.WriteFile(filepath.Join(g.pod("a"), "f"), []byte("x"), 0o600))
	if b, err := os.ReadFile(filepath.Join(g.pod("b"), "f")); err != nil || string(b) != "x" {
		t.Errorf("the other pod reads %q, %v", b, err)
	}
	if os.WriteFile(filepath.Join(g.pod("b"), "g"), nil, 0o600) == nil {
		t.Error("a read-only volume was written to")
	}
	e, _, err := mount.At(g.pod("a"))
	g.must(err)
	if n := g.mounts(); n != 3 || e.Type != "ext4" || g.file("sys/class/scsi_host/host0/scan") != "- - -" {
		t.Errorf("%d mounts, %+v", n, e)
	}
	g.leave(g.pod("a"))
	g.settled()
	if n := g.mounts(); n != 2 || g.file(gone) != "" {
		t.Errorf("one pod is left: %d mounts, %q", n, g.file(gone))
	}
	g.leave(g.pod("b"))
	g.settled()
	g.settled()
	left, _ := os.ReadDir(g.path("disks"))
	if n := g.mounts(); n != 0 || g.file(gone) != "1" || len(left) != 0 {
		t.Errorf("no pod is left: %d mounts, %q, %v", n, g.file(gone), left)
	}
	g.must(g.mount(d, g.pod("c")))
	if b, err := os.ReadFile(filepath.Join(g.pod("c"), "f")); err != nil || string(b) != "x" {
		t.Errorf("the next pod reads %q, %v", b, err)
	}
}

// TestWhatIsOnADisk: only an empty one is formatted, and whatever else is on one stays.
func TestWhatIsOnADisk(t *testing.T) {
	for name, c := range map[string]struct {
		has      func(g *rig, device string)
		fstype   string
		readOnly bool
		is, err  string
	}{
		"nothing":              {nil, "", false, "ext4", ""},
		"nothing, xfs":         {nil, "xfs", false, "xfs", ""},
		"the same":             {func(g *rig, d string) { g.format(d, "xfs") }, "xfs", false, "xfs", ""},
		"the same, read-only":  {func(g *rig, d string) { g.format(d, "ext4") }, "", true, "ext4", ""},
		"nothing, read-only":   {nil, "", true, "", "cannot mount unformatted disk"},
		"another":              {func(g *rig, d string) { g.format(d, "xfs") }, "ext4", false, "", "holds xfs, not ext4"},
		"partitions":           {partitioned, "", false, "", "holds unknown data, probably partitions"},
		"a type without tools": {nil, "ufs", false, "", "this host has no mkfs.ufs"},
		"a type that is none":  {nil, "../../x", false, "", "no type of a file system"},
		"processes as type":    {func(g *rig, d string) { g.format(d, "ext4") }, "proc", false, "", "holds ext4, not proc: file systems of this type are on no device"},
		"memory as type":       {func(g *rig, d string) { g.format(d, "ext4") }, "tmpfs", true, "", "holds ext4, not tmpfs"},
		"devices as type":      {func(g *rig, d string) { g.format(d, "ext4") }, "devtmpfs", false, "", "holds ext4, not devtmpfs"},
		"a type that is not":   {func(g *rig, d string) { g.format(d, "ext4") }, "nosuchfs", false, "", "unknown filesystem type 'nosuchfs'"},
		"a program as type":    {func(g *rig, d string) { g.format(d, "ext4") }, "fuse.sh", false, "", "holds ext4, not fuse.sh"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			device := g.device()
			g.fibre(device, "1")
			if c.has != nil {
				c.has(g, device)
			}
			before, _ := g.Host.format(t.Context(), device)
			d := fc("1")
			d.FSType, d.ReadOnly = c.fstype, c.readOnly
			err := g.mount(d, g.pod("a"))
			e, there, _ := mount.At(g.pod("a"))
			if c.err == "" {
				if err != nil || e.Type != c.is || e.ReadOnly != c.readOnly {
					t.Errorf("mounted %+v, %v", e, err)
				}
				return
			}
			after, _ := g.Host.format(t.Context(), device)
			if there || err == nil || !strings.Contains(err.Error(), c.err) || before != after {
				t.Errorf("mounted: %v, error %v; held %q, now %q", there, err, before, after)
			}
		})
	}
}

// partitioned writes a partition table of DOS with one partition of Linux.
func partitioned(g *rig, device string) {
	sector := make([]byte, 512)
	copy(sector[446:], []byte{0, 0x20, 0x21, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0})
	sector[510], sector[511] = 0x55, 0xaa
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	g.must(err)
	_, err = f.Write(sector)
	g.must(errors.Join(err, f.Close()))
}

// TestRepair: what fsck can repair is repaired before the mount, and what it cannot is told.
func TestRepair(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "1")
	g.format(device, "ext4")
	if out, err := exec.Command("debugfs", "-w", "-R", "set_super_value free_blocks_count 7", device).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("debugfs", "-w", "-R", "set_super_value state 2", device).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.program("fsck", "echo worse than that; exit 4")
	if err := g.mount(fc("1"), g.pod("a")); err == nil || !strings.Contains(err.Error(), "'fsck' found errors on device "+device+" but could not correct them: worse than that") {
		t.Errorf("got %v", err)
	}
	g.must(os.Remove(g.path("programs/fsck")))
	g.must(g.mount(fc("1"), g.pod("a")))
	g.leave(g.pod("a"))
	g.settled()
	if out, err := exec.Command("fsck.ext4", "-f", "-n", device).CombinedOutput(); err != nil {
		t.Errorf("after a repair: %v: %s", err, out)
	}
}

// TestOneDeviceByTwoNames: whoever comes first formats it, both mount it, and it is let go of when
// both have gone.
func TestOneDeviceByTwoNames(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "1")
	g.must(os.Symlink(device, g.path("dev/disk/by-id/scsi-3600_508b")))
	byID := Disk{FC: &FC{WWIDs: []string{"3600 508b"}}}
	var wg sync.WaitGroup
	var errs [2]error
	wg.Go(func() { errs[0] = g.mount(fc("1"), g.pod("a")) })
	wg.Go(func() { errs[1] = g.mount(byID, g.pod("b")) })
	wg.Wait()
	g.must(errors.Join(errs[:]...))
	g.must(os.WriteFile(filepath.Join(g.pod("a"), "f"), nil, 0o600))
	if _, err := os.Stat(filepath.Join(g.pod("b"), "f")); err != nil {
		t.Error(err)
	}
	gone := "sys/block/" + filepath.Base(device) + "/device/delete"
	g.leave(g.pod("a"))
	g.settled()
	if g.file(gone) != "" {
		t.Error("a device in use was removed")
	}
	g.leave(g.pod("b"))
	g.settled() // one of them sees that the other has it
	g.settled()
	left, err := g.names()
	g.must(err)
	if g.file(gone) != "1" || g.mounts() != 0 || len(left) != 0 {
		t.Errorf("left: %v, %d mounts, %q", left, g.mounts(), g.file(gone))
	}
}

// TestReadersAndWriters: a disk that is mounted read-only is not given to a pod that writes.
func TestReadersAndWriters(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "1")
	g.format(device, "ext4")
	reader := fc("1")
	reader.ReadOnly = true
	g.must(g.mount(reader, g.pod("a")))
	var e *Error
	err := g.mount(fc("1"), g.pod("b"))
	if !errors.As(err, &e) || e.Step != "SetUp" || !strings.Contains(err.Error(), "mounted read-only on this node") {
		t.Errorf("got %v", err)
	}
	g.leave(g.pod("a"))
	g.settled()
	g.must(g.mount(fc("1"), g.pod("b")))
}

// TestBusyDevice: while anything has the device, it is not taken away.
func TestBusyDevice(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "1")
	g.must(g.mount(fc("1"), g.pod("a")))
	f, err := os.Open(filepath.Join(g.pod("a"), "."))
	g.must(err)
	g.leave(g.pod("a")) // somebody is still in it
	gone := "sys/block/" + filepath.Base(device) + "/device/delete"
	if err := g.settle(); err == nil || !strings.Contains(err.Error(), "is still in use") || g.file(gone) != "" {
		t.Errorf("got %v, %q", err, g.file(gone))
	}
	g.must(f.Close())
	g.settled()
	if g.file(gone) != "1" {
		t.Error("it is still there")
	}
}

// TestGroup: the pod's group is asked for before the pod sees the disk, and not for a reader.
func TestGroup(t *testing.T) {
	g := newRig(t)
	g.fibre(g.device(), "1")
	asked := 0
	own := func(_ context.Context, dir string) error {
		if asked++; asked == 1 {
			return errors.New("no")
		}
		if _, there, _ := mount.At(g.pod("a")); there {
			t.Error("the pod sees it already")
		}
		return os.WriteFile(filepath.Join(dir, "owned"), nil, 0o600)
	}
	if err := g.Mount(t.Context(), fc("1"), g.pod("a"), own); err == nil {
		t.Error("mounted without its group")
	}
	g.must(g.Mount(t.Context(), fc("1"), g.pod("a"), own))
	reader := fc("1")
	reader.ReadOnly = true
	g.must(g.Mount(t.Context(), reader, g.pod("b"), own))
	if _, err := os.Stat(filepath.Join(g.pod("b"), "owned")); err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// TestFlexAttachment: what a driver attaches without a device stays attached as long as a pod has the volume,
// and is detached once.
func TestFlexAttachment(t *testing.T) {
	g := newRig(t)
	g.write("flex/a~b/b", "#!/bin/sh\necho $1 >>"+g.path("calls")+"\n[ $1 = waitforattach ] && { echo '{\"status\":\"Not supported\"}'; exit 1; }\necho '{\"status\":\"Success\"}'\n")
	g.must(os.Chmod(g.path("flex/a~b/b"), 0o755))
	g.Drivers.Dir = g.path("flex")
	d := Disk{Flex: &Flex{Driver: "a/b", Volume: "v", Node: "n1"}}
	at := g.path("pods/uid/volumes/a~b/v")
	g.must(os.MkdirAll(at, 0o755))
	for range 2 {
		g.must(g.Hold(t.Context(), d))
		g.settled()
	}
	const asked = "init\nattach\nwaitforattach\nmountdevice\n"
	if got := g.file("calls"); !strings.HasPrefix(got, asked) || strings.Contains(got, "detach") {
		t.Errorf("called with\n%s", got)
	}
	g.must(os.Remove(at))
	g.settled()
	g.settled()
	if left, _ := g.names(); len(left) != 0 || strings.Count(g.file("calls"), "\ndetach\n") != 1 {
		t.Errorf("left: %v; called with\n%s", left, g.file("calls"))
	}
}

// TestRun: disks that nobody uses go by themselves.
func TestRun(t *testing.T) {
	g := newRig(t)
	device := g.device()
	g.fibre(device, "1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Manager.Run(ctx) }()
	g.must(g.mount(fc("1"), g.pod("a")))
	g.leave(g.pod("a"))
	g.must(g.Collect())
	if !await(ctx, 1<<34, func() bool { names, _ := g.names(); return len(names) == 0 }) {
		t.Error("it stays")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLocks(t *testing.T) {
	l := locks{held: map[string]*lock{}}
	unlock, err := l.acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.try("a"); ok {
		t.Error("taken twice")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.acquire(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("waited: %v", err)
	}
	unlock()
	unlock, ok := l.try("a")
	if !ok {
		t.Error("it is free")
	}
	unlock()
	if len(l.held) != 0 {
		t.Error(fmt.Sprint("left: ", l.held))
	}
}
