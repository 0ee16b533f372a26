//go:build linux

package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/mount"
)

func TestNamesOfFibreChannel(t *testing.T) {
	f := &FC{TargetWWNs: []string{"500a0981891b8dc5", "ba.*"}, LUN: 1}
	for name, want := range map[string]bool{
		"pci-0000:00:06.0-fc-0x500a0981891b8dc5-lun-1": true, "fc-0x500a0981891b8dc5-lun-1": true, "fc-0xba.*-lun-1": true,
		"pci-0000:00:06.0-fc-0x500a0981891b8dc5-lun-10": false, "pci-0000:00:06.0-fc-0x500a0981891b8dc5-lun-1-part1": false,
		"pci-0000:00:06.0-fc-0x500a0981891b8dc6-lun-1": false, "x-fc-0x500a0981891b8dc5-lun-1": false, "pcifc-0x500a0981891b8dc5-lun-1": false,
		"fc-0xbaxx-lun-1": false,
	} {
		if f.isPath(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	f = &FC{WWIDs: []string{"36 00"}}
	for name, want := range map[string]bool{"scsi-36_00": true, "scsi-36_00-part1": false, "scsi-36 00": false, "wwn-36_00": false} {
		if f.isID(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// TestDiskThatIsNotThere: the pod's author reads the kubelet's words, whatever the name leads to.
func TestDiskThatIsNotThere(t *testing.T) {
	g := newRig(t)
	g.write("secret", "of the host")
	g.must(unix.Mknod(g.path("elsewhere"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 0))))
	for wwn, to := range map[string]string{"none": "", "elsewhere": g.path("elsewhere"), "file": g.path("secret"), "out": "/etc/passwd", "char": "/dev/null", "broken": "/dev/none"} {
		if to != "" {
			g.fibre(to, wwn)
		}
		var e *Error
		if err := g.mount(fc(wwn), g.pod("a")); !errors.As(err, &e) || e.Step != "WaitForAttach" || err.Error() != "no fc disk found" {
			t.Errorf("%s: %v", wwn, err)
		}
	}
	g.settled()
	if left, _ := g.names(); len(left) != 0 || g.mounts() != 0 {
		t.Errorf("left: %v", left)
	}
	// Names that would lead out of the disks' directory, were they taken as paths.
	for _, d := range []Disk{fc("../../../x"), {FC: &FC{WWIDs: []string{"/etc"}}}} {
		if name := d.name(); strings.ContainsAny(name, "/.") {
			t.Errorf("a disk is called %s", name)
		}
	}
}

// TestMultipath: the device over several paths is the one that is mounted, and goes before its paths.
func TestMultipath(t *testing.T) {
	g := newRig(t)
	over, one, two := g.device(), g.device(), g.device()
	g.fibre(one, "1")
	g.must(os.Symlink(two, g.path("dev/disk/by-path/pci-0000:00:07.0-fc-0x1-lun-0")))
	g.must(os.Symlink(over, g.path("dev/dm-3")))
	for _, d := range []string{one, two} {
		g.write("sys/block/dm-3/slaves/"+filepath.Base(d), "")
	}
	g.program("multipath", `echo "$@" >>`+g.path("calls"))
	g.must(g.mount(fc("1"), g.pod("a")))
	if e, _, err := mount.At(g.pod("a")); err != nil || e.Source != over {
		t.Errorf("mounted %+v, %v", e, err)
	}
	if g.file("sys/class/scsi_host/host0/scan") != "" {
		t.Error("the hosts were scanned for what was there")
	}
	g.leave(g.pod("a"))
	g.settled()
	if calls := g.file("calls"); calls != "-f "+g.path("dev/dm-3")+"\n" {
		t.Errorf("multipath %s", calls)
	}
	for _, d := range []string{one, two} {
		if g.file("sys/block/"+filepath.Base(d)+"/device/delete") != "1" {
			t.Errorf("path %s stays", d)
		}
	}
}
