//go:build linux

package volume

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/mount"
)

// flexDriver installs a driver, a shell script that mounts a directory of its own for all volumes.
func (g *rig) flexDriver(script string) (store string) {
	g.t.Helper()
	g.flex, store = g.t.TempDir(), g.t.TempDir()
	at := filepath.Join(g.flex, "example.com~dir")
	program := `#!/bin/sh
echo "$@" >>` + g.flex + `/calls
ok() { echo '{"status":"Success"}'; exit 0; }
` + script + `
case $1 in
init) echo '{"status":"Success","capabilities":{"attach":false}}';;
mount) mount --bind ` + store + ` $2 && ok;;
unmount) umount $2 && ok;;
*) echo '{"status":"Not supported"}'; exit 1;;
esac`
	g.must(errors.Join(os.Mkdir(at, 0o755), os.WriteFile(filepath.Join(at, "dir"), []byte(program), 0o755)))
	g.start()
	g.slow.patience = time.Minute
	return store
}

func (g *rig) calls() string { return g.file(filepath.Join(g.flex, "calls")) }

func flexVolume() v1.Volume {
	return v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{FlexVolume: &v1.FlexVolumeSource{Driver: "example.com/dir", FSType: "xfs",
		Options: map[string]string{"size": "1"}, SecretRef: &v1.LocalObjectReference{Name: "key"}}}}
}

// TestFlexVolume: the driver is told of volume, pod and secret, mounts once, also for the next agent, and unmounts.
func TestFlexVolume(t *testing.T) {
	g := newRig(t)
	store := g.flexDriver("")
	p, group := pod(flexVolume()), int64(4711)
	p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group}
	// In this order: first there is no secret, then one of another type.
	for _, words := range []string{`secrets "key" not found`, "cannot get secret of type example.com/dir"} {
		if err := g.Prepare(t.Context(), p); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %s", err, words)
		}
		g.secrets["key"] = &v1.Secret{Type: "Opaque", Data: map[string][]byte{"user": []byte("me")}}
	}
	g.secrets["key"].Type = "example.com/dir"
	g.must(g.Prepare(t.Context(), p))
	g.start()
	g.slow.patience = time.Minute
	g.must(g.Prepare(t.Context(), p))
	mounts, err := g.mounts(p, v1.VolumeMount{Name: "v", MountPath: "/v"})
	g.must(err)
	at := filepath.Join(g.data, "pods", string(p.UID), "volumes", "example.com~dir", "v")
	const options = `{"kubernetes.io/fsType":"xfs","kubernetes.io/mounterArgs.FsGroup":"4711","kubernetes.io/pod.name":"p","kubernetes.io/pod.namespace":"ns",` +
		`"kubernetes.io/pod.uid":"0123-uid","kubernetes.io/pvOrVolumeName":"v","kubernetes.io/readwrite":"rw","kubernetes.io/secret/user":"bWU=",` +
		`"kubernetes.io/serviceAccount.name":"sa","size":"1"}`
	if got := g.calls(); got != "init\nmount "+at+" "+options+"\n" || mounts[0].Source != at {
		t.Errorf("mounted %+v; called with\n%s", mounts, got)
	}
	if groupOf(t, store) != 4711 {
		t.Error("the volume is not the pod's group's")
	}
	g.must(g.Remove(p.UID))
	if got := g.calls(); !strings.HasSuffix(got, "\nunmount "+at+"\n") {
		t.Errorf("called with\n%s", got)
	}
	if below, _ := mount.Below(g.data); len(below) != 0 {
		t.Errorf("mounted: %+v", below)
	}
	if _, err := os.Stat(store); err != nil {
		t.Error(err)
	}
}

// TestFlexVolumesThatFail: why is told; what was not mounted is not unmounted, and a driver that cannot be asked keeps
// the pod.
func TestFlexVolumesThatFail(t *testing.T) {
	g := newRig(t)
	p := pod(flexVolume())
	p.Spec.Volumes[0].FlexVolume.SecretRef = nil
	store := g.flexDriver(`[ $1 = mount ] && [ ! -e ` + filepath.Join(g.data, "go") + ` ] && { echo '{"status":"Failure","message":"no disk"}'; exit 1; }`)
	program := filepath.Join(g.flex, "example.com~dir", "dir")
	if err := g.Prepare(t.Context(), p); err == nil || err.Error() != `MountVolume.SetUp failed for volume "v" : mount command failed, status: Failure, reason: no disk` {
		t.Errorf("got %v", err)
	}
	g.must(g.Remove(p.UID))
	if strings.Contains(g.calls(), "unmount") {
		t.Errorf("called with\n%s", g.calls())
	}
	other := pod(flexVolume())
	other.UID, other.Spec.Volumes[0].FlexVolume.Driver, other.Spec.Volumes[0].FlexVolume.SecretRef = "other", "example.com/none", nil
	if err := g.Prepare(t.Context(), other); err == nil || !strings.Contains(err.Error(), `failed to get Plugin from volumeSpec for volume "v" err=no volume plugin matched: this host has no driver`) {
		t.Errorf("got %v", err)
	}
	g.must(g.Remove(other.UID))

	g.must(os.WriteFile(filepath.Join(g.data, "go"), nil, 0o600))
	p.UID = "again"
	g.must(g.Prepare(t.Context(), p))
	g.must(os.Rename(program, program+".away"))
	if err := g.Remove(p.UID); err == nil || !strings.Contains(err.Error(), `UnmountVolume.TearDown failed for volume "v" : no volume plugin matched`) {
		t.Errorf("got %v", err)
	}
	if below, _ := mount.Below(g.data); len(below) != 1 {
		t.Errorf("mounted: %+v", below)
	}
	g.must(os.WriteFile(filepath.Join(store, "kept"), nil, 0o600))
	g.must(os.Rename(program+".away", program))
	g.must(g.Remove(p.UID))
	if _, err := os.Stat(filepath.Join(store, "kept")); err != nil {
		t.Error(err)
	}
}

// TestFlexDevice: a driver that attaches a device has the agent make its file system, mount it once for
// two pods and bind it; it detaches after the last.
func TestFlexDevice(t *testing.T) {
	g := newRig(t)
	g.disks()
	device, err := filepath.EvalSymlinks(filepath.Join(g.host.Dev, "disk/by-path/fc-0x50-lun-1"))
	g.must(err)
	g.flexDriver(`case $1 in
init|unmount|detach) ok;;
attach) echo '{"status":"Success","device":"` + device + `"}'; exit 0;;
*) echo '{"status":"Not supported"}'; exit 1;;
esac`)
	one, two := pod(flexVolume()), pod(flexVolume())
	two.UID = "two"
	for _, p := range []*v1.Pod{one, two} {
		p.Spec.Volumes[0].FlexVolume.SecretRef, p.Spec.Volumes[0].FlexVolume.FSType = nil, ""
		g.must(g.Prepare(t.Context(), p))
	}
	below, err := mount.Below(g.data)
	g.must(err)
	if len(below) != 3 || below[0].Type != "ext4" || below[0].Source != device || strings.Count(g.calls(), "\nattach ") != 1 {
		t.Errorf("mounted %+v; called with\n%s", below, g.calls())
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Manager.disks.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	g.must(g.Remove(one.UID))
	if left, _ := mount.Below(g.data); len(left) != 2 || strings.Contains(g.calls(), "detach") {
		t.Errorf("one is left: %+v; called with\n%s", left, g.calls())
	}
	g.must(g.Remove(two.UID))
	for limit := time.After(20 * time.Second); !strings.Contains(g.calls(), "\ndetach v n1\n"); {
		select {
		case <-limit:
			t.Fatalf("called with\n%s", g.calls())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if left, _ := mount.Below(g.data); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}
