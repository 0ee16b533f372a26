//go:build linux

package volume

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/mount"
)

// disks gives the rig's host a device behind Fibre Channel: a loop device.
func (g *rig) disks() {
	g.t.Helper()
	image, root := filepath.Join(g.t.TempDir(), "image"), g.t.TempDir()
	g.must(os.WriteFile(image, nil, 0o600))
	g.must(os.Truncate(image, 64<<20))
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	g.must(err)
	device := strings.TrimSpace(string(out))
	g.t.Cleanup(func() {
		if err := errors.Join(mount.Unmount(g.data), exec.Command("losetup", "--detach", device).Run()); err != nil {
			g.t.Error(err)
		}
	})
	link(g.t, device, filepath.Join(root, "dev/disk/by-path/fc-0x50-lun-1"))
	g.host = disk.Host{Dev: filepath.Join(root, "dev"), Sys: filepath.Join(root, "sys"), Patience: time.Millisecond}
	g.start()
	g.slow.patience = time.Minute // a file system is made in less
}

func fibre(wwn string, lun int32) v1.Volume {
	return v1.Volume{Name: "d", VolumeSource: v1.VolumeSource{FC: &v1.FCVolumeSource{TargetWWNs: []string{wwn}, Lun: &lun}}}
}

// TestDisk: a disk is formatted and given to the pod's group, an agent that starts anew leaves it mounted,
// and it outlives its pod.
func TestDisk(t *testing.T) {
	g := newRig(t)
	g.disks()
	p := pod(fibre("50", 1))
	group, policy := int64(4711), v1.FSGroupChangeOnRootMismatch
	p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group, FSGroupChangePolicy: &policy}
	g.must(g.Prepare(t.Context(), p))
	mounts, err := g.mounts(p, v1.VolumeMount{Name: "d", MountPath: "/d"})
	g.must(err)
	dir := mounts[0].Source
	if m := mode(t, dir); m != 0o775|os.ModeSetgid || groupOf(t, dir) != 4711 {
		t.Errorf("%v of group %d", m, groupOf(t, dir))
	}
	g.must(os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600))
	g.start()
	g.must(g.Prepare(t.Context(), p))
	if at, err := mount.Below(g.data); err != nil || len(at) != 2 {
		t.Errorf("mounts: %+v, %v", at, err)
	}
	if m := mode(t, filepath.Join(dir, "f")); m != 0o600 {
		t.Errorf("a file of a running pod was changed: %v", m)
	}
	g.must(g.Remove(p.UID))
	if left, _ := os.ReadDir(filepath.Join(g.data, "pods")); len(left) != 0 {
		t.Errorf("left of the pod: %v", left)
	}
	next := pod(fibre("50", 1))
	next.UID, next.Spec.SecurityContext = types.UID("next"), &v1.PodSecurityContext{FSGroup: &group}
	g.slow.patience = time.Minute
	g.must(g.Prepare(t.Context(), next))
	file := filepath.Join(g.dir(next, "d"), "f")
	if g.file(file) != "x" || mode(t, file) != 0o660 || groupOf(t, file) != 4711 {
		t.Errorf("the next pod finds %v of group %d", mode(t, file), groupOf(t, file))
	}
}

// TestDiskThatFails: the event says which step failed and why; an agent that begins without a pod
// lets go of its disk.
func TestDiskThatFails(t *testing.T) {
	g := newRig(t)
	g.disks()
	p := pod(fibre("51", 1))
	if err := g.Prepare(t.Context(), p); err == nil || err.Error() != `MountVolume.WaitForAttach failed for volume "d" : no fc disk found` {
		t.Errorf("got %v", err)
	}
	p.Spec.Volumes[0].FC.TargetWWNs, p.Spec.Volumes[0].FC.ReadOnly = []string{"50"}, true
	if err := g.Prepare(t.Context(), p); err == nil || !strings.HasPrefix(err.Error(), `MountVolume.MountDevice failed for volume "d" : cannot mount unformatted disk`) {
		t.Errorf("got %v", err)
	}
	p.Spec.Volumes[0] = v1.Volume{Name: "i", VolumeSource: v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{TargetPortal: "h", IQN: "iqn.2001-04.a:b",
		SessionCHAPAuth: true, SecretRef: &v1.LocalObjectReference{Name: "chap"}}}}
	if err := g.Prepare(t.Context(), p); err == nil || err.Error() != `MountVolume.SetUp failed for volume "i" : couldn't get secret ns/chap error: secrets "chap" not found` {
		t.Errorf("got %v", err)
	}
}

// TestGiveToGroup: only what is on the disk changes, links lead nowhere, and setuid stays.
func TestGiveToGroup(t *testing.T) {
	g := newRig(t)
	outside := filepath.Join(t.TempDir(), "outside")
	g.must(os.WriteFile(outside, nil, 0o600))
	dir := t.TempDir()
	g.must(os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	g.must(os.WriteFile(filepath.Join(dir, "a", "tool"), nil, 0o700))
	g.must(os.Chmod(filepath.Join(dir, "a", "tool"), 0o700|os.ModeSetuid))
	link(t, outside, filepath.Join(dir, "a", "link"))
	link(t, filepath.Dir(outside), filepath.Join(dir, "a", "b", "way"))
	group := int64(4711)
	p := pod()
	p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group}
	g.must(give(t.Context(), dir, p, false))
	info, err := os.Stat(filepath.Join(dir, "a", "tool"))
	g.must(err)
	if info.Mode() != 0o760|os.ModeSetuid {
		t.Errorf("a program: %v", info.Mode())
	}
	if m := mode(t, filepath.Join(dir, "a", "b")); m != 0o770|os.ModeSetgid || groupOf(t, filepath.Join(dir, "a", "b")) != 4711 {
		t.Errorf("a directory: %v", m)
	}
	if groupOf(t, outside) == 4711 || mode(t, outside) != 0o600 || groupOf(t, filepath.Join(dir, "a", "link")) != 4711 {
		t.Error("a link was followed, or not given")
	}
	// What is the group's at its root is not looked at again, if that is the policy.
	g.must(os.Chmod(filepath.Join(dir, "a", "b"), 0o700))
	policy := v1.FSGroupChangeOnRootMismatch
	p.Spec.SecurityContext.FSGroupChangePolicy = &policy
	g.must(give(t.Context(), dir, p, false))
	if m := mode(t, filepath.Join(dir, "a", "b")); m != 0o700 {
		t.Errorf("looked at again: %v", m)
	}
	g.must(os.Chmod(dir, 0o700))
	g.must(give(t.Context(), dir, p, false))
	if m := mode(t, filepath.Join(dir, "a", "b")); m != 0o770|os.ModeSetgid {
		t.Errorf("its root did not fit: %v", m)
	}
}

func groupOf(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Gid
}
