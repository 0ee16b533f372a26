//go:build linux

package agent_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/csi/csitest"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// keeper is a pod whose user writes into its volume and tells of what is in it.
func keeper(uid types.UID, source v1.VolumeSource) *v1.Pod {
	grace, user, group := int64(1), int64(1000), int64(4711)
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "keeper", Namespace: "default", UID: uid},
		Spec: v1.PodSpec{
			RestartPolicy: v1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			SecurityContext: &v1.PodSecurityContext{RunAsUser: &user, RunAsGroup: &user, FSGroup: &group},
			Volumes:         []v1.Volume{{Name: "v", VolumeSource: source}},
			Containers: []v1.Container{{
				Name: "c", Image: podmantest.Image, ImagePullPolicy: v1.PullIfNotPresent,
				Command:      []string{"/bin/sh", "-c", "echo $(cat /v/kept 2>/dev/null)x >/v/kept; cat /v/kept; trap 'exit 0' TERM; while :; do sleep 0.1; done"},
				VolumeMounts: []v1.VolumeMount{{Name: "v", MountPath: "/v"}},
			}},
		},
	}
}

// fibre is a loop device that the host finds behind Fibre Channel.
func fibre(t *testing.T) disk.Host {
	t.Helper()
	root, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20), os.MkdirAll(filepath.Join(root, "dev/disk/by-path"), 0o755)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	if err := os.Symlink(device, filepath.Join(root, "dev/disk/by-path/fc-0x50-lun-0")); err != nil {
		t.Fatal(err)
	}
	return disk.Host{Dev: filepath.Join(root, "dev"), Sys: filepath.Join(root, "sys"), Patience: time.Second}
}

// logged waits until the pod has printed text.
func (c *cluster) logged(t *testing.T, uid types.UID, text string) {
	t.Helper()
	name := "default_keeper_" + strings.Split(string(uid), "-")[0] + "_c_0"
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("%s printed %q", name, last)
		}
	}()
	wait(t, "the pod prints "+text, func() bool { last = c.host.Podman(t, "logs", name); return last == text })
}

// end deletes a pod and waits until nothing is left of it.
func (c *cluster) end(t *testing.T, p *v1.Pod) {
	t.Helper()
	d, grace := p.DeepCopy(), int64(1)
	d.DeletionTimestamp, d.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &grace
	c.control.assign(t, d)
	wait(t, "pod is removed", func() bool {
		return !c.control.has(schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Name)})
	})
	c.control.unassign(t, p)
	var got v1.Pod
	c.observe(bus.ObservedPodKey(node, schemas.Namespace(p.Namespace), schemas.Name(p.Name)), "status is withdrawn", &got, func(there bool) bool { return !there })
}

// told waits for an event that says text.
func (c *cluster) told(t *testing.T, text string) {
	t.Helper()
	wait(t, "an event says "+text, func() bool {
		c.control.mu.Lock()
		defer c.control.mu.Unlock()
		return slices.ContainsFunc(c.control.said, func(s string) bool { return strings.Contains(s, text) })
	})
}

// mounted is what is mounted below the agent's directory by sources that begin with prefix.
func (c *cluster) mounted(t *testing.T, prefix string) (out []string) {
	t.Helper()
	at, err := mount.Below(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range at {
		if strings.HasPrefix(e.Source, prefix) {
			out = append(out, e.At)
		}
	}
	return out
}

// TestDiskOfAPod: a pod that waits for a disk says so; it runs once the disk is there, through an agent's restart;
// what it wrote is there for the next one.
func TestDiskOfAPod(t *testing.T) {
	host := fibre(t)
	c := startWith(t, agent.Config{Disks: host})
	lun := int32(0)
	source := func(wwn string) v1.VolumeSource {
		return v1.VolumeSource{FC: &v1.FCVolumeSource{TargetWWNs: []string{wwn}, Lun: &lun}}
	}
	lost := keeper("10000000-a", source("51"))
	lost.Name = "lost"
	c.control.assign(t, lost)
	c.told(t, `MountVolume.WaitForAttach failed for volume "v" : no fc disk found`)

	p := keeper("20000000-a", source("50"))
	c.control.assign(t, p)
	c.running(p, 0)
	c.logged(t, p.UID, "x\n")
	c.stop()
	c.agent()
	c.running(p, 0)
	if at := c.mounted(t, "/dev/loop"); len(at) != 2 {
		t.Errorf("mounted at %q, want once and once for the pod", at)
	}
	c.end(t, p)
	wait(t, "the disk is let go of", func() bool { return len(c.mounted(t, "/dev/loop")) == 0 })
	next := keeper("30000000-a", source("50"))
	c.control.assign(t, next)
	c.running(next, 0)
	c.logged(t, next.UID, "xx\n")
	c.end(t, next)
	c.end(t, lost)
	wait(t, "the disk is let go of", func() bool { return len(c.mounted(t, "/dev/loop")) == 0 })
}

// TestDriverOfAPod: a pod waits for a storage driver, runs once it has registered, through an agent's and the driver's
// restart, and its volume ends with it.
func TestDriverOfAPod(t *testing.T) {
	c := start(t)
	dir, err := os.MkdirTemp("", "csi") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &csitest.Driver{Name: "hostpath.csi.example.com", Dir: dir, Registry: filepath.Join(c.dir, "plugins_registry")}
	t.Cleanup(d.Stop)
	c.control.put(schemas.CSIDrivers, &storagev1.CSIDriver{
		TypeMeta: metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "CSIDriver"}, ObjectMeta: metav1.ObjectMeta{Name: d.Name},
		Spec: storagev1.CSIDriverSpec{VolumeLifecycleModes: []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecycleEphemeral},
			PodInfoOnMount: new(true), FSGroupPolicy: new(storagev1.FileFSGroupPolicy)},
	})
	p := keeper("40000000-a", v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: d.Name, VolumeAttributes: map[string]string{"a": "b"}}})
	c.control.assign(t, p)
	c.told(t, `MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name hostpath.csi.example.com not found in the list of registered CSI drivers`)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	c.running(p, 0)
	c.logged(t, p.UID, "x\n")
	if got := d.Asked()[0].VolumeContext; got["a"] != "b" || got["csi.storage.k8s.io/pod.name"] != "keeper" {
		t.Errorf("asked with %v", got)
	}
	c.stop()
	c.agent()
	c.running(p, 0)
	d.Stop()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	c.end(t, p)
	if store, _ := os.ReadDir(filepath.Join(dir, "volumes")); len(store) != 0 || len(d.Asked()) != 1 {
		t.Errorf("left with the driver: %v; asked %d times", store, len(d.Asked()))
	}
}

// TestFlexVolumeOfAPod: a driver of the host mounts a volume for a pod, once, and unmounts it at its end.
func TestFlexVolumeOfAPod(t *testing.T) {
	store, drivers := t.TempDir(), t.TempDir()
	at := filepath.Join(drivers, "example.com~dir")
	program := `#!/bin/sh
echo $1 >>` + drivers + `/calls
case $1 in
init) echo '{"status":"Success","capabilities":{"attach":false}}';;
mount) mount --bind ` + store + ` $2 && echo '{"status":"Success"}';;
unmount) umount $2 && echo '{"status":"Success"}';;
*) echo '{"status":"Not supported"}'; exit 1;;
esac
`
	if err := errors.Join(os.Mkdir(at, 0o755), os.WriteFile(filepath.Join(at, "dir"), []byte(program), 0o755)); err != nil {
		t.Fatal(err)
	}
	c := startWith(t, agent.Config{FlexDir: drivers})
	p := keeper("50000000-a", v1.VolumeSource{FlexVolume: &v1.FlexVolumeSource{Driver: "example.com/dir"}})
	c.control.assign(t, p)
	c.running(p, 0)
	c.logged(t, p.UID, "x\n")
	c.stop()
	c.agent()
	c.running(p, 0)
	c.end(t, p)
	if b, err := os.ReadFile(filepath.Join(store, "kept")); err != nil || string(b) != "x\n" {
		t.Errorf("the volume holds %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(drivers, "calls")); err != nil || string(b) != "init\nmount\ninit\nunmount\n" {
		t.Errorf("called %q, %v", b, err)
	}
}
