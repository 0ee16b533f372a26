//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"

	"github.com/skerry/skerry/services/agent/mount"
)

func TestProjectedFiles(t *testing.T) {
	g := newRig(t)
	g.configs["c"] = &v1.ConfigMap{Data: map[string]string{"a": "1", "b": "2"}, BinaryData: map[string][]byte{"bin": {0, 1}}}
	g.secrets["s"] = &v1.Secret{Data: map[string][]byte{"a": []byte("secret")}}
	name := func(n string) v1.LocalObjectReference { return v1.LocalObjectReference{Name: n} }
	p := pod(v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{DefaultMode: ptr(int32(0o400)), DefaultUser: ptr(int64(7)),
		Sources: []v1.VolumeProjection{
			{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: name("c")}},
			{Secret: &v1.SecretProjection{LocalObjectReference: name("s"), Items: []v1.KeyToPath{{Key: "a", Path: "deep/er/a", Mode: ptr(int32(0o555)), User: ptr(int64(8))}}}},
			{Secret: &v1.SecretProjection{LocalObjectReference: name("s"), Optional: ptr(true), Items: []v1.KeyToPath{{Key: "none", Path: "none"}}}},
			{DownwardAPI: &v1.DownwardAPIProjection{Items: []v1.DownwardAPIVolumeFile{
				{Path: "b", FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.labels"}}, // takes the ConfigMap's place
				{Path: "mem", ResourceFieldRef: &v1.ResourceFieldSelector{ContainerName: "c", Resource: "limits.memory", Divisor: resource.MustParse("1Mi")}},
			}}},
			{ClusterTrustBundle: &v1.ClusterTrustBundleProjection{Name: ptr("none"), Path: "x", Optional: ptr(true)}},
		}}}})
	p.Spec.Containers[0].Resources.Limits = v1.ResourceList{v1.ResourceMemory: resource.MustParse("3Mi")}
	g.must(g.Prepare(t.Context(), p))
	dir := g.dir(p, "v")
	for path, want := range map[string]string{"a": "1", "b": `a="b"`, "bin": "\x00\x01", "deep/er/a": "secret", "mem": "3", "x": ""} {
		if got := g.file(filepath.Join(dir, path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if m := mode(t, filepath.Join(dir, "a")); m != 0o400 {
		t.Errorf("default mode %v", m)
	}
	if m := mode(t, filepath.Join(dir, "deep/er/a")); m != 0o555 {
		t.Errorf("own mode %v", m)
	}
	if there, err := inMemory(filepath.Join(g.data, "memory")); err != nil || !there {
		t.Errorf("secrets are not in memory: %v", err)
	}
	p.Spec.Volumes = []v1.Volume{{Name: "w", VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{
		{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: name("none")}}, {Secret: &v1.SecretProjection{LocalObjectReference: name("none")}},
		{PodCertificate: &v1.PodCertificateProjection{}}}}}}}
	err := g.Prepare(t.Context(), p)
	const want = `MountVolume.SetUp failed for volume "w" : [configmap "none" not found, secret "none" not found, there are no PodCertificateRequests in this cluster]`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestPodIsToldWhenItsVolumesMayBeThere(t *testing.T) {
	g := newRig(t)
	p := pod(configVolume("v", "late"))
	err := g.Prepare(t.Context(), p)
	if err == nil || err.Error() != `MountVolume.SetUp failed for volume "v" : configmap "late" not found` {
		t.Fatal(err)
	}
	g.config("late", map[string]string{"k": "v"})
	g.must(g.settle(p))
	if len(g.retried) != 1 || g.retried[0] != (sandbox.Key{Namespace: "ns", Name: "p"}) {
		t.Fatalf("retried %v", g.retried)
	}
	g.must(g.Prepare(t.Context(), p))
	// Gone again: what is there stays, and that is told once.
	g.config("late", nil)
	g.must(g.settle(p))
	g.must(g.settle(p))
	if g.file(filepath.Join(g.dir(p, "v"), "k")) != "v" || len(g.events) != 1 {
		t.Errorf("events %q", g.events)
	}
}

func TestVolumesOutliveTheBus(t *testing.T) {
	g := newRig(t)
	g.config("c", map[string]string{"k": "v"})
	p := pod(configVolume("v", "c"))
	g.must(g.Prepare(t.Context(), p))
	g.away = true
	g.start()
	g.Ordered(p)
	if g.settle(p) == nil {
		t.Error("nobody heard that it could not be refreshed")
	}
	if err := g.Prepare(t.Context(), p); err != nil { // a container starts anew
		t.Error(err)
	}
	if g.file(filepath.Join(g.dir(p, "v"), "k")) != "v" {
		t.Error("the files have gone")
	}
}

func TestImmutableObjectsAreNotLookedAtAgain(t *testing.T) {
	g := newRig(t)
	g.config("c", map[string]string{"k": "v"})
	g.configs["c"].Immutable = ptr(true)
	g.must(g.Prepare(t.Context(), pod(configVolume("v", "c"))))
	if len(g.Objects()) != 0 {
		t.Errorf("still looked at: %v", g.Objects())
	}
}

// TestOneReadForManyPods: a change that concerns many pods of a node is read once.
func TestOneReadForManyPods(t *testing.T) {
	g := newRig(t)
	g.config("c", map[string]string{"k": "v"})
	var pods []*v1.Pod
	for i := range 20 {
		p := pod(configVolume("v", "c"))
		p.UID = types.UID(fmt.Sprint("uid-", i))
		g.must(g.Prepare(t.Context(), p))
		pods = append(pods, p)
	}
	g.reads = 0
	g.config("c", map[string]string{"k": "w"})
	for _, p := range pods {
		g.must(g.settle(p))
		if g.file(filepath.Join(g.dir(p, "v"), "k")) != "w" {
			t.Errorf("%s was left behind", p.UID)
		}
	}
	if g.reads != 1 {
		t.Errorf("%d reads", g.reads)
	}
}

func TestReadersSeeOneVersion(t *testing.T) {
	g := newRig(t)
	g.config("c", map[string]string{"a": "0", "b": "0"})
	p := pod(configVolume("v", "c"))
	g.must(g.Prepare(t.Context(), p))
	dir := g.dir(p, "v")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			version, err := os.Readlink(filepath.Join(dir, dataLink))
			if err != nil {
				t.Errorf("there is no version: %v", err)
				return
			}
			a, errA := os.ReadFile(filepath.Join(dir, version, "a"))
			b, errB := os.ReadFile(filepath.Join(dir, version, "b"))
			if errors.Join(errA, errB) == nil && string(a) != string(b) {
				t.Errorf("a is %s and b is %s", a, b)
			}
		}
	})
	for i := range 300 {
		g.config("c", map[string]string{"a": fmt.Sprint(i), "b": fmt.Sprint(i), fmt.Sprint("only", i): ""})
		g.must(g.settle(p))
	}
	close(stop)
	wg.Wait()
	entries, err := os.ReadDir(dir)
	g.must(err)
	if len(entries) != 5 { // ..data, its version, a, b, only299
		t.Errorf("left: %v", entries)
	}
}

// TestFullDisk: what cannot be written whole is not shown, and nothing of it stays.
func TestFullDisk(t *testing.T) {
	g := newRig(t)
	full := filepath.Join(g.data, "full")
	g.must(os.Mkdir(full, 0o755))
	g.must(tmpfs(full, 128<<10, 0o755))
	now := time.Unix(1_800_000_000, 0)
	_, err := write(full, payload{"k": {data: []byte("v"), mode: 0o644}}, ownership{}, now)
	g.must(err)
	before, err := os.ReadDir(full)
	g.must(err)
	if _, err := write(full, payload{"a": {mode: 0o644}, "k": {data: make([]byte, 1<<20), mode: 0o644}}, ownership{}, now); err == nil {
		t.Fatal("a megabyte was written to 128 KiB")
	}
	after, err := os.ReadDir(full)
	g.must(err)
	if fmt.Sprint(before) != fmt.Sprint(after) || g.file(filepath.Join(full, "k")) != "v" {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestWriteMendsWhatACrashLeft: half a version, a link that leads nowhere, names that are gone.
func TestWriteMendsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	want := payload{"k": {data: []byte("v"), mode: 0o644}, "d/e": {data: []byte("w"), mode: 0o600}}
	for _, f := range []func(){
		func() {},
		func() { _ = os.MkdirAll(filepath.Join(dir, "..2026_01_01_00_00_00.0000000001", "k"), 0o755) },
		func() { _ = os.Remove(filepath.Join(dir, dataLink)) },
		func() {
			_ = os.Remove(filepath.Join(dir, dataLink))
			_ = os.Symlink("..2020", filepath.Join(dir, dataLink))
		},
		func() { _ = os.Symlink("..data/old", filepath.Join(dir, "old")) },
		func() { _ = os.Remove(filepath.Join(dir, "k")); _ = os.Mkdir(filepath.Join(dir, "k"), 0o755) },
		func() { _ = os.Symlink("x", filepath.Join(dir, dataNext)); _ = os.Remove(filepath.Join(dir, dataLink)) },
	} {
		f()
		if _, err := write(dir, want, ownership{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 4 {
			t.Errorf("left: %v, %v", entries, err)
		}
		for p, f := range want {
			if b, err := os.ReadFile(filepath.Join(dir, p)); err != nil || string(b) != string(f.data) {
				t.Errorf("%s: %q, %v", p, b, err)
			}
		}
	}
	if changed, err := write(dir, want, ownership{}, time.Now()); changed || err != nil {
		t.Errorf("the same again: %v, %v", changed, err)
	}
}

func TestTokensAreRenewed(t *testing.T) {
	g := newRig(t)
	p := pod(v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{DefaultMode: ptr(int32(0o644)), Sources: []v1.VolumeProjection{
		{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Path: "token", Audience: "vault", ExpirationSeconds: ptr(int64(1000))}}}}}})
	p.Spec.Containers[0].SecurityContext = &v1.SecurityContext{RunAsUser: ptr(int64(55))}
	g.must(g.Prepare(t.Context(), p))
	path := filepath.Join(g.dir(p, "v"), "token")
	has := func(when, want string) {
		t.Helper()
		if got := g.file(path); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	has("first", "vault1")
	if m := mode(t, path); m != 0o600 {
		t.Errorf("mode %v: only the user that all containers run as may read it", m)
	}
	after, err := g.refresh(t.Context(), p.UID)
	g.must(err)
	if after != 800*time.Second {
		t.Errorf("renewed in %s", after)
	}
	g.now = g.now.Add(799 * time.Second)
	g.start() // a restart renews nothing
	g.must(g.Prepare(t.Context(), p))
	has("not due", "vault1")
	g.now, g.away = g.now.Add(time.Second), true
	g.must(g.settle(p))
	has("nobody answers", "vault1")
	// A host that boots without a bus has lost what was in memory, but for the token it kept.
	g.must(mount.Unmount(g.data))
	g.start()
	g.must(g.Prepare(t.Context(), p))
	has("after a reboot", "vault1")
	g.away = false
	g.must(g.settle(p))
	has("renewed", "vault2")
	if info, err := os.Stat(filepath.Join(g.pods, string(p.UID), "tokens.json")); err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Errorf("%v %v", info, err)
	}
	day := Token{Issued: g.now, Expires: g.now.Add(1000 * time.Hour)}
	if !day.due().Equal(g.now.Add(24 * time.Hour)) {
		t.Errorf("a long one is due at %s", day.due())
	}
	g.away = true
	p.UID = "new"
	if err := g.Prepare(t.Context(), p); err == nil || !strings.Contains(err.Error(), "failed to fetch token") {
		t.Errorf("got %v", err)
	}
}
