//go:build linux

package volume

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/csi/csitest"
	"github.com/skerry/skerry/services/agent/mount"
)

const driver = "hostpath.csi.example.com"

// storage is a rig whose host may have a driver, and what an administrator says of it.
type storage struct {
	*rig
	*csitest.Driver
	object *storagev1.CSIDriver
	end    func()
}

func newStorage(t *testing.T) *storage {
	g := newRig(t)
	dir, err := os.MkdirTemp("", "csi")
	g.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &storage{rig: g, Driver: &csitest.Driver{Name: driver, Dir: dir, Registry: filepath.Join(dir, "registry")}, object: &storagev1.CSIDriver{
		ObjectMeta: metav1.ObjectMeta{Name: driver},
		Spec: storagev1.CSIDriverSpec{VolumeLifecycleModes: []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecycleEphemeral},
			FSGroupPolicy: new(storagev1.FileFSGroupPolicy), PodInfoOnMount: new(true)},
	}}
	t.Cleanup(func() { s.Driver.Stop() })
	g.drivers, g.plugins = s, s.Registry
	s.agent()
	return s
}

func (s *storage) CSIDriver(context.Context, schemas.Name) (*storagev1.CSIDriver, error) {
	return s.object, nil
}

// agent starts an agent, in place of the one that there is.
func (s *storage) agent() {
	s.t.Helper()
	if s.end != nil {
		s.end()
	}
	s.start()
	s.slow.patience = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	done, m := make(chan struct{}), s.Manager
	go func() { defer close(done); _ = m.Run(ctx) }()
	var once bool
	s.end = func() {
		if !once {
			once = true
			cancel()
			<-done
		}
	}
	s.t.Cleanup(s.end)
}

// up starts the driver and waits until the agent knows it.
func (s *storage) up() {
	s.t.Helper()
	s.must(s.Driver.Start())
	s.known()
}

func (s *storage) known() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	reason, err := s.Registered(ctx)
	s.must(err)
	if reason != "" {
		s.t.Fatal(reason)
	}
	s.awaitDriver(true)
}

func (s *storage) awaitDriver(there bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); ; {
		if _, err := s.Manager.drivers.Driver(driver); (err == nil) == there {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatal("the driver's coming or going was not seen")
		}
	}
}

// awaitRetry waits until the pod is to try again.
func (s *storage) awaitRetry(p *v1.Pod) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); ; {
		s.rig.mu.Lock()
		told := slices.Contains(s.retried, keyOf(p))
		s.rig.mu.Unlock()
		if told {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatal("the driver has come, and its pod was not told")
		}
	}
}

func inline() *v1.Pod {
	return pod(v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: driver, VolumeAttributes: map[string]string{"size": "1"}}}})
}

func (s *storage) fails(p *v1.Pod, words string) {
	s.t.Helper()
	if err := s.Prepare(s.t.Context(), p); err == nil || !strings.Contains(err.Error(), words) {
		s.t.Errorf("got %v, want %s", err, words)
	}
}

// TestCSI: a volume waits for its driver, is published once with what the driver is to know, stays while the
// agent starts anew, and goes with its pod.
func TestCSI(t *testing.T) {
	s := newStorage(t)
	p := inline()
	p.Spec.Volumes[0].CSI.NodePublishSecretRef = &v1.LocalObjectReference{Name: "key"}
	group := int64(4711)
	p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group}
	s.fails(p, `MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name `+driver+` not found in the list of registered CSI drivers`)
	s.up()
	s.awaitRetry(p)
	s.fails(p, `fetching NodePublishSecretRef ns/key failed: couldn't get secret ns/key error: secrets "key" not found`)
	s.secrets["key"] = &v1.Secret{Data: map[string][]byte{"user": []byte("me")}}
	s.object.Spec.TokenRequests = []storagev1.TokenRequest{{Audience: "vault"}}
	s.must(s.Prepare(t.Context(), p))
	got := s.Asked()[0]
	want := map[string]string{"size": "1", "csi.storage.k8s.io/pod.name": "p", "csi.storage.k8s.io/pod.namespace": "ns", "csi.storage.k8s.io/pod.uid": string(p.UID),
		"csi.storage.k8s.io/serviceAccount.name": "sa", "csi.storage.k8s.io/ephemeral": "true",
		"csi.storage.k8s.io/serviceAccount.tokens": `{"vault":{"token":"vault1","expirationTimestamp":"2027-01-15T09:00:00Z"}}`}
	for k, v := range want {
		if got.VolumeContext[k] != v {
			t.Errorf("%s: %q, want %q", k, got.VolumeContext[k], v)
		}
	}
	if len(got.VolumeContext) != len(want) || got.Secrets["user"] != "me" || len(got.Secrets) != 1 || !strings.HasPrefix(got.VolumeId, "csi-") {
		t.Errorf("asked %v", got)
	}
	mounts, err := s.mounts(p, v1.VolumeMount{Name: "v", MountPath: "/v"})
	s.must(err)
	if mounts[0].Source != got.TargetPath || groupOf(t, got.TargetPath) != 4711 {
		t.Errorf("mounts %+v of group %d", mounts, groupOf(t, got.TargetPath))
	}
	s.agent()
	s.must(s.Prepare(t.Context(), p))
	if n := len(s.Asked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.known()
	s.must(s.Remove(p.UID))
	left, _ := os.ReadDir(filepath.Join(s.data, "pods"))
	store, _ := os.ReadDir(filepath.Join(s.Dir, "volumes"))
	if len(left) != 0 || len(store) != 0 {
		t.Errorf("left: %v, %v", left, store)
	}
}

// TestCSIWithoutAnObject: a driver serves such volumes only if its object says so.
func TestCSIWithoutAnObject(t *testing.T) {
	s := newStorage(t)
	s.up()
	s.object.Spec.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	s.fails(inline(), `volume mode "Ephemeral" not supported by driver `+driver+` (only supports ["Persistent"])`)
	s.object = nil
	s.fails(inline(), `volume mode "Ephemeral" not supported by driver `+driver+` (no CSIDriver object)`)
	s.Driver.Stop()
	s.must(s.Remove(inline().UID)) // nobody was asked, so nobody is needed
}

// TestCSIGroups: who gives a volume to the pod's group, if anybody.
func TestCSIGroups(t *testing.T) {
	for name, c := range map[string]struct {
		policy     storagev1.FSGroupPolicy
		fsType     string
		readOnly   bool
		mountGroup bool
		given      bool
		asked      string
	}{
		"file":            {storagev1.FileFSGroupPolicy, "", false, false, true, ""},
		"none":            {storagev1.NoneFSGroupPolicy, "ext4", false, false, false, ""},
		"by type":         {storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy, "ext4", false, false, true, ""},
		"by type, none":   {storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy, "", false, false, false, ""},
		"read-only":       {storagev1.FileFSGroupPolicy, "", true, false, false, ""},
		"the driver does": {storagev1.FileFSGroupPolicy, "", false, true, false, "4711"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStorage(t)
			s.MountGroup, s.object.Spec.FSGroupPolicy = c.mountGroup, &c.policy
			s.up()
			p, group := inline(), int64(4711)
			p.Spec.Volumes[0].CSI.FSType, p.Spec.Volumes[0].CSI.ReadOnly = &c.fsType, &c.readOnly
			p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group}
			s.must(s.Prepare(t.Context(), p))
			got := s.Asked()[0]
			m := got.VolumeCapability.GetMount()
			if (groupOf(t, got.TargetPath) == 4711) != c.given || m.VolumeMountGroup != c.asked || m.FsType != c.fsType || got.Readonly != c.readOnly {
				t.Errorf("group %d, asked %v", groupOf(t, got.TargetPath), got)
			}
			s.must(s.Remove(p.UID))
		})
	}
}

// TestCSIDriverGoesAway: a pod is not gone before its volumes are unpublished, by an agent that knows of them
// from disk alone too.
func TestCSIDriverGoesAway(t *testing.T) {
	s := newStorage(t)
	s.up()
	p := inline()
	s.must(s.Prepare(t.Context(), p))
	s.Driver.Stop()
	s.awaitDriver(false)
	for range 2 {
		if err := s.Remove(p.UID); err == nil || !strings.Contains(err.Error(), `UnmountVolume.TearDown failed for volume "v" : kubernetes.io/csi: Unmounter.TearDownAt failed to get CSI client`) {
			t.Errorf("got %v", err)
		}
		s.agent()
	}
	if at, _ := mount.Below(s.data); len(at) != 1 {
		t.Errorf("mounted: %+v", at)
	}
	s.up()
	s.must(s.Remove(p.UID))
	if at, _ := mount.Below(s.data); len(at) != 0 {
		t.Errorf("mounted: %+v", at)
	}
}

// TestCSIThatWasCutOff: who asks, and does not hear the answer, asks again; the volume is published once,
// and unpublished though nobody knows whether it ever was.
func TestCSIThatWasCutOff(t *testing.T) {
	s := newStorage(t)
	s.up()
	p := inline()
	s.must(s.Prepare(t.Context(), p))
	s.must(os.Remove(publishedFile(s.dir(p, "v")))) // the agent was killed before the answer
	s.agent()
	s.known()
	s.must(s.Prepare(t.Context(), p))
	if at, _ := mount.Below(s.data); len(at) != 1 || len(s.Asked()) != 2 {
		t.Errorf("mounted: %+v, asked %d times", at, len(s.Asked()))
	}
	s.must(os.WriteFile(publishedFile(s.dir(p, "v")), []byte("before the reboot"), 0o600))
	s.agent()
	s.known()
	s.must(s.Prepare(t.Context(), p))
	if n := len(s.Asked()); n != 3 {
		t.Errorf("after a reboot, asked %d times", n)
	}
	s.Publish = func(context.Context, *csi.NodePublishVolumeRequest) error {
		return status.Error(codes.Aborted, "at it already")
	}
	next := inline()
	next.UID = "next"
	s.fails(next, `MountVolume.SetUp failed for volume "v" : rpc error: code = Aborted desc = at it already`)
	if had, err := recallVolume(s.dir(next, "v")); had == nil || err != nil {
		t.Errorf("kept: %v, %v", had, err)
	}
	s.Publish = func(context.Context, *csi.NodePublishVolumeRequest) error {
		return status.Error(codes.InvalidArgument, "no")
	}
	s.fails(next, "code = InvalidArgument desc = no")
	if had, _ := recallVolume(s.dir(next, "v")); had != nil {
		t.Error("what was not done is kept")
	}
	s.must(errors.Join(s.Remove(next.UID), s.Remove(p.UID)))
}

// TestCSIAfterAPowerCut: what is kept of a volume can be lost. The pod goes all the same, unless something is mounted there.
func TestCSIAfterAPowerCut(t *testing.T) {
	s := newStorage(t)
	s.up()
	p := inline()
	s.must(s.Prepare(t.Context(), p))
	s.must(os.WriteFile(dataFile(s.dir(p, "v")), nil, 0o600))
	if err := s.Remove(p.UID); err == nil || !strings.Contains(err.Error(), "vol_data.json") {
		t.Errorf("while it is mounted: %v", err)
	}
	s.must(mount.Unmount(s.dir(p, "v"))) // as the host came up again
	s.agent()
	s.must(s.Remove(p.UID))
	if _, err := os.Lstat(filepath.Join(s.pods, string(p.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left of the pod: %v", err)
	}
}

// TestCSIDriverThatHangs: it holds up neither other pods nor the end of its own.
func TestCSIDriverThatHangs(t *testing.T) {
	s := newStorage(t)
	hung := make(chan struct{}, 8)
	s.Publish = func(ctx context.Context, _ *csi.NodePublishVolumeRequest) error {
		hung <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	s.up()
	s.slow.patience = time.Millisecond
	p := inline()
	if err := s.Prepare(t.Context(), p); !errors.Is(err, errMounting) {
		t.Fatal(err)
	}
	<-hung
	other := pod(emptyVolume("e", v1.EmptyDirVolumeSource{}))
	other.UID = "other"
	s.must(s.Prepare(t.Context(), other))
	s.slow.patience = time.Minute
	s.must(errors.Join(s.Remove(p.UID), s.Remove(other.UID)))
	if at, _ := mount.Below(s.data); len(at) != 0 {
		t.Errorf("mounted: %+v", at)
	}
}

// TestCSIDriverThatTakesLong: the pod's end waits for the driver without holding up others, and asks it once.
func TestCSIDriverThatTakesLong(t *testing.T) {
	s := newStorage(t)
	begun, release := make(chan struct{}, 8), make(chan struct{})
	s.Unpublish = func(ctx context.Context) error {
		begun <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.up()
	p := inline()
	s.must(s.Prepare(t.Context(), p))
	s.slow.patience = time.Millisecond
	for range 3 {
		if err := s.Remove(p.UID); err == nil || !strings.Contains(err.Error(), "it is being unmounted") {
			t.Fatalf("got %v", err)
		}
	}
	<-begun
	s.rig.mu.Lock()
	s.retried = nil // of the driver's coming
	s.rig.mu.Unlock()
	close(release)
	s.awaitRetry(p)
	s.must(s.Remove(p.UID))
	if at, _ := mount.Below(s.data); len(at) != 0 || len(begun) != 0 {
		t.Errorf("mounted: %+v; asked %d times more", at, len(begun))
	}
}

// TestCSIDriverThatLies: what is mounted into containers is a directory that is there.
func TestCSIDriverThatLies(t *testing.T) {
	s := newStorage(t)
	outside := t.TempDir()
	s.must(os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
	s.Publish = func(_ context.Context, r *csi.NodePublishVolumeRequest) error {
		return errors.Join(csitest.ErrLie, os.Symlink(outside, r.TargetPath))
	}
	s.up()
	p := inline()
	s.fails(p, "there is no directory")
	s.Publish = func(context.Context, *csi.NodePublishVolumeRequest) error { return csitest.ErrLie }
	s.must(os.Remove(s.dir(p, "v")))
	s.fails(p, "there is no directory")
	s.must(s.Remove(p.UID))
	if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil {
		t.Error(err)
	}
}

// TestRepublish: a driver that wants to is asked again, with tokens of now.
func TestRepublish(t *testing.T) {
	s := newStorage(t)
	s.object.Spec.RequiresRepublish, s.object.Spec.TokenRequests = new(true), []storagev1.TokenRequest{{}}
	s.object.Spec.ServiceAccountTokenInSecrets = new(true)
	s.up()
	p := inline()
	s.must(s.Prepare(t.Context(), p))
	after, err := s.refresh(t.Context(), p.UID)
	s.must(err)
	asked := s.Asked()
	const key = "csi.storage.k8s.io/serviceAccount.tokens"
	if after != republishEvery || len(asked) != 2 || asked[0].Secrets[key] == asked[1].Secrets[key] || asked[0].VolumeContext[key] != "" {
		t.Errorf("again after %v; asked %v", after, asked)
	}
	s.Publish = func(context.Context, *csi.NodePublishVolumeRequest) error {
		return status.Error(codes.Internal, "lost it")
	}
	_, err = s.refresh(t.Context(), p.UID)
	if err == nil || !strings.Contains(strings.Join(s.events, ";"), `Warning FailedMount: MountVolume.SetUp failed for volume "v" : rpc error: code = Internal desc = lost it`) {
		t.Errorf("%v, events %q", err, s.events)
	}
	if had, _ := recallVolume(s.dir(p, "v")); had == nil {
		t.Error("a volume that is published was forgotten")
	}
	s.must(s.Remove(p.UID))
}
