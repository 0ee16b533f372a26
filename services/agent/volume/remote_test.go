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

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
)

func nfsPod(s v1.NFSVolumeSource) *v1.Pod {
	return pod(v1.Volume{Name: "share", VolumeSource: v1.VolumeSource{NFS: &s}})
}

// TestNFS: a share is mounted once, an agent that starts anew leaves it, and its end
// unmounts it: what it holds stays.
func TestNFS(t *testing.T) {
	g := newRig(t)
	share := t.TempDir()
	file := filepath.Join(share, "kept")
	g.must(os.WriteFile(file, []byte("x"), 0o600))
	var asked [][]string
	g.mount = func(_ context.Context, fstype, source, target string, options []string) error {
		asked = append(asked, append([]string{fstype, source}, options...))
		return unix.Mount(share, target, "", unix.MS_BIND, "")
	}
	g.start()
	p := nfsPod(v1.NFSVolumeSource{Server: "fd00::1", Path: "/srv/a b", ReadOnly: true})
	g.must(g.Prepare(t.Context(), p))
	c := &v1.Container{Name: "c", VolumeMounts: []v1.VolumeMount{{Name: "share", MountPath: "/in"}}}
	mounts, err := g.Mounts(p, c, nil)
	g.must(err)
	if _, err := os.Stat(filepath.Join(mounts[0].Source, "kept")); err != nil {
		t.Errorf("in the container: %v", err)
	}
	g.start()
	g.must(g.Prepare(t.Context(), p))
	if want := []string{"nfs", "[fd00::1]:/srv/a b", "ro"}; len(asked) != 1 || !slices.Equal(asked[0], want) {
		t.Errorf("mounted %q, want %q once", asked, want)
	}
	g.must(g.Remove(p.UID))
	if _, err := os.Stat(mounts[0].Source); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the share has lost a file: %v", err)
	}
}

// TestNFSWithoutAnAnswer: a server that does not answer holds up neither other pods nor the
// removal of the one that waits for it; when it answers, the pod is tried again.
func TestNFSWithoutAnAnswer(t *testing.T) {
	g := newRig(t)
	answer, tried := make(chan error), make(chan struct{}, 8)
	g.mount = func(ctx context.Context, _, _, _ string, _ []string) error {
		tried <- struct{}{}
		select {
		case err := <-answer:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g.start()
	g.slow.patience = time.Millisecond
	p := nfsPod(v1.NFSVolumeSource{Server: "s", Path: "/"})
	for range 3 {
		if err := g.Prepare(t.Context(), p); !errors.Is(err, errMounting) {
			t.Fatalf("got %v", err)
		}
	}
	other := pod(emptyVolume("e", v1.EmptyDirVolumeSource{}))
	other.Name, other.UID = "other", "4567-uid"
	g.must(g.Prepare(t.Context(), other))
	<-tried
	answer <- errors.New("access denied by server")
	g.slow.all.Wait()
	g.mu.Lock()
	if len(g.retried) != 1 || g.retried[0] != keyOf(p) {
		t.Errorf("tried again: %v", g.retried)
	}
	g.mu.Unlock()
	if err := g.Prepare(t.Context(), p); err == nil || !strings.Contains(err.Error(), "access denied by server") {
		t.Fatalf("the server's answer is not told: %v", err)
	}
	if err := g.Prepare(t.Context(), p); !errors.Is(err, errMounting) {
		t.Fatalf("got %v", err)
	}
	g.must(g.Remove(p.UID)) // ends the mount
	g.slow.all.Wait()
	if len(tried) != 1 {
		t.Errorf("%d mounts more, want 1", len(tried))
	}
	g.slow.stop()
	other.UID, other.Spec.Volumes = "89ab-uid", p.Spec.Volumes
	if err := g.Prepare(t.Context(), other); err == nil || errors.Is(err, errMounting) || len(tried) != 1 {
		t.Errorf("a manager that has stopped mounts: %v", err)
	}
}
