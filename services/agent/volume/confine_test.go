//go:build linux

package volume

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
)

// outside makes a directory outside of every volume, and what checks that it is as it was.
func outside(t *testing.T) (dir string, untouched func(when string)) {
	t.Helper()
	dir = t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "passwd"), []byte("root"), 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir, func(when string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		b, readErr := os.ReadFile(filepath.Join(dir, "passwd"))
		if err := errors.Join(err, readErr); err != nil || len(entries) != 1 || string(b) != "root" || mode(t, dir) != 0o755 {
			t.Errorf("%s: what is outside was changed: %v %q %v", when, entries, b, err)
		}
	}
}

// TestCVE20259566 is the fault of `podman kube play`: a container leaves a symlink in the place of
// a ConfigMap's or Secret's file, and the next write of the volume goes through it to the host.
func TestCVE20259566(t *testing.T) {
	out, untouched := outside(t)
	dir := t.TempDir()
	want := func(v string) payload {
		return payload{"passwd": {data: []byte(v), mode: 0o666}, "d/passwd": {data: []byte(v), mode: 0o666}}
	}
	group := int64(5)
	for i, plant := range []func(){
		func() {},
		func() { link(t, filepath.Join(out, "passwd"), filepath.Join(dir, "passwd")) },
		func() { link(t, out, filepath.Join(dir, "d")) },
		func() { link(t, out, filepath.Join(dir, dataLink)) },
		func() { link(t, "../../../../../../../.."+out, filepath.Join(dir, dataLink)) },
		func() { link(t, out, filepath.Join(dir, dataNext)) },
		func() { link(t, out, filepath.Join(dir, "..2027_01_01_00_00_00.1")) },
		func() {
			version, _ := os.Readlink(filepath.Join(dir, dataLink))
			_ = os.RemoveAll(filepath.Join(dir, version, "d"))
			link(t, out, filepath.Join(dir, version, "d"))
		},
	} {
		for _, name := range []string{"passwd", "d", dataNext} {
			_ = os.RemoveAll(filepath.Join(dir, name))
		}
		if i > 2 && i < 5 {
			_ = os.Remove(filepath.Join(dir, dataLink))
		}
		plant()
		v := string(rune('a' + i))
		if _, err := write(dir, want(v), ownership{group: &group, readOnly: true}, time.Now()); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		untouched(v)
		for p := range want(v) {
			if b, err := os.ReadFile(filepath.Join(dir, p)); err != nil || string(b) != v {
				t.Errorf("%d: %s is %q, %v", i, p, b, err)
			}
		}
	}
}

// TestSubPathsStayInTheirVolume: a container makes a symlink in its volume that a
// sub-path leads through, at the start of the next container.
func TestSubPathsStayInTheirVolume(t *testing.T) {
	out, untouched := outside(t)
	g := newRig(t)
	p := pod(emptyVolume("v", v1.EmptyDirVolumeSource{}))
	g.must(g.Prepare(t.Context(), p))
	dir := g.dir(p, "v")
	link(t, out, filepath.Join(dir, "absolute"))
	link(t, "../../../../../../../../../../../../"+out, filepath.Join(dir, "relative"))
	link(t, "absolute", filepath.Join(dir, "twice"))
	link(t, "/proc/self/root"+out, filepath.Join(dir, "magic"))
	link(t, "loop", filepath.Join(dir, "loop"))
	for _, sub := range []string{"absolute", "absolute/passwd", "absolute/new", "absolute/new/er", "relative", "relative/new", "twice/new", "magic/new", "loop/new", "loop"} {
		if m, err := g.mounts(p, v1.VolumeMount{Name: "v", SubPath: sub}); !errors.Is(err, errOutside) {
			t.Errorf("%s: %+v, %v", sub, m, err)
		}
		untouched(sub)
	}
	// Symlinks that stay inside are followed.
	g.must(os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o755))
	link(t, "../real", filepath.Join(dir, "links", "in"))
	m, err := g.mounts(p, v1.VolumeMount{Name: "v", SubPath: "links/in/deep/new"})
	g.must(err)
	g.must(os.WriteFile(filepath.Join(m[0].Source, "f"), nil, 0o600))
	if _, err := os.Stat(filepath.Join(dir, "real", "deep", "new", "f")); err != nil {
		t.Error(err)
	}
}

// TestRaces swaps a directory of a volume for a symlink to the outside, over and over, while
// the agent makes and binds sub-paths through it, measures it and removes it.
func TestRaces(t *testing.T) {
	out, untouched := outside(t)
	g := newRig(t)
	p := pod(emptyVolume("v", v1.EmptyDirVolumeSource{}))
	g.must(g.Prepare(t.Context(), p))
	dir := g.dir(p, "v")
	target := filepath.Join(dir, "swapped")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Mkdir(target, 0o777)
			_ = os.Rename(target, filepath.Join(dir, "aside"))
			_ = os.Symlink(out, target)
			_ = os.Remove(target)
			_ = os.RemoveAll(filepath.Join(dir, "aside"))
		}
	})
	var inside, refused int
	for i := range 400 {
		m, err := g.mounts(p, v1.VolumeMount{Name: "v", SubPath: "swapped/new"})
		if err != nil {
			refused++
		} else {
			inside++
			if err := os.WriteFile(filepath.Join(m[0].Source, "f"), []byte("x"), 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the bind leads nowhere: %v", err)
			}
		}
		if i%10 == 0 {
			_, _ = g.Usage(p)
			_ = removeTree(target)
		}
	}
	close(stop)
	wg.Wait()
	untouched("races")
	if inside == 0 {
		t.Error("no bind was ever made: the test shows nothing")
	}
	t.Logf("%d binds, %d refused", inside, refused)
	g.must(g.Remove(p.UID))
	untouched("removed")
}
