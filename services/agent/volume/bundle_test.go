//go:build linux

package volume

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
)

// block is a certificate as far as the agent looks at one.
func block(der string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(der)}))
}

// put sets a trust bundle; no anchors remove it.
func (g *rig) put(name, signer, label string, anchors ...string) {
	b := &certificatesv1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"set": label}},
		Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer}}
	for _, a := range anchors {
		b.Spec.TrustBundle += "between\n" + block(a)
	}
	g.mu.Lock()
	kept := []*certificatesv1.ClusterTrustBundle{}
	for _, other := range g.bundles {
		if other.Name != name {
			kept = append(kept, other)
		}
	}
	if len(anchors) > 0 {
		kept = append(kept, b)
	}
	g.bundles = kept
	g.mu.Unlock()
	g.Changed(schemas.RefOf(schemas.ClusterTrustBundles, b))
	if signer != "" {
		g.Changed(refer.Anchors(signer))
	}
}

func bundleSource(s v1.ClusterTrustBundleProjection) v1.VolumeProjection {
	s.Path = "anchors"
	return v1.VolumeProjection{ClusterTrustBundle: &s}
}

func bundleVolume(name string, s v1.ClusterTrustBundleProjection) v1.Volume {
	return v1.Volume{Name: name, VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{bundleSource(s)}}}}
}

func TestTrustBundles(t *testing.T) {
	g := newRig(t)
	all, some := &metav1.LabelSelector{}, &metav1.LabelSelector{MatchLabels: map[string]string{"set": "x"}}
	g.put("one", "", "", "b", "a")
	g.put("a.b:c:1", "a.b/c", "x", "d", "c")
	g.put("a.b:c:2", "a.b/c", "y", "c", "e")
	g.put("a.b:d:1", "a.b/d", "x", "z")
	long := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for i := range 2000 {
		long.MatchLabels[fmt.Sprintf("%s%04d", strings.Repeat("k", 59), i)] = "v"
	}
	for name, c := range map[string]struct {
		s    v1.ClusterTrustBundleProjection
		want string
		err  string
	}{
		"by name":          {v1.ClusterTrustBundleProjection{Name: ptr("one")}, "ab", ""},
		"of a signer":      {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/c"), LabelSelector: all}, "cde", ""},
		"by labels":        {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/c"), LabelSelector: some}, "cd", ""},
		"missing, allowed": {v1.ClusterTrustBundleProjection{Name: ptr("two"), Optional: ptr(true)}, "", ""},
		"none, allowed":    {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/e"), LabelSelector: all, Optional: ptr(true)}, "", ""},
		"missing":          {v1.ClusterTrustBundleProjection{Name: ptr("two")}, "", `while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "two" not found`},
		"no selector":      {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/c")}, "", "combination of signerName and labelSelector matched zero ClusterTrustBundles"},
		"none":             {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/e"), LabelSelector: all, Optional: ptr(false)}, "", "combination of signerName and labelSelector matched zero ClusterTrustBundles"},
		"long selector":    {v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/c"), LabelSelector: long, Optional: ptr(true)}, "", "is larger than 102400"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod(bundleVolume("v", c.s))
			p.UID = "uid-" + p.UID
			err := g.Prepare(t.Context(), p)
			t.Cleanup(func() { g.must(g.Remove(p.UID)) })
			if c.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), `MountVolume.SetUp failed for volume "v" : `) || !strings.HasSuffix(err.Error(), c.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			g.must(err)
			want := ""
			for _, der := range c.want {
				want += block(string(der))
			}
			if got := g.file(filepath.Join(g.dir(p, "v"), "anchors")); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestTrustBundlesFollow: a bundle that is rotated, made, or removed reaches the files.
func TestTrustBundlesFollow(t *testing.T) {
	g := newRig(t)
	p := pod(bundleVolume("v", v1.ClusterTrustBundleProjection{SignerName: ptr("a.b/c"), LabelSelector: &metav1.LabelSelector{}}))
	p.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: ptr(int64(7))}
	if err := g.Prepare(t.Context(), p); err == nil {
		t.Fatal("there are no bundles, and nobody minds")
	}
	g.put("a.b:c:1", "a.b/c", "", "a")
	g.must(g.settle(p))
	if len(g.retried) != 1 {
		t.Fatalf("retried %v", g.retried)
	}
	g.must(g.Prepare(t.Context(), p))
	at := filepath.Join(g.dir(p, "v"), "anchors")
	shows := func(want ...string) {
		t.Helper()
		text := ""
		for _, der := range want {
			text += block(der)
		}
		if got := g.file(at); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	shows("a")
	if m := mode(t, at); m != 0o640 {
		t.Errorf("mode %v: it is the group's to read and nobody else's", m)
	}
	for _, step := range []struct {
		name    string
		anchors []string
		want    []string
	}{{"a.b:c:2", []string{"b"}, []string{"a", "b"}}, {"a.b:c:1", []string{"c"}, []string{"b", "c"}}, {"a.b:c:2", nil, []string{"c"}}} {
		g.put(step.name, "a.b/c", "", step.anchors...)
		g.must(g.settle(p))
		shows(step.want...)
	}
	// Without any left, what is there stays, and that is told.
	g.put("a.b:c:1", "a.b/c", "")
	g.must(g.settle(p))
	shows("c")
	if len(g.events) != 1 || !strings.Contains(g.events[0], "matched zero ClusterTrustBundles") {
		t.Errorf("events %q", g.events)
	}
}

func TestAnchorsAreBounded(t *testing.T) {
	var many []*certificatesv1.ClusterTrustBundle
	for range 17 {
		many = append(many, &certificatesv1.ClusterTrustBundle{Spec: certificatesv1.ClusterTrustBundleSpec{TrustBundle: strings.Repeat("x", 1<<20)}})
	}
	if _, err := anchors(many); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("got %v", err)
	}
	if data, err := anchors(many[:16]); err != nil || !bytes.Equal(data, nil) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestWhoseFilesTheyAre: tokens and anchors are the user's whom their source names, or the volume, or
// whom all containers run as.
func TestWhoseFilesTheyAre(t *testing.T) {
	g := newRig(t)
	g.put("one", "", "", "a")
	const runs, ofVolume, own = 55, 7, 8
	for name, c := range map[string]struct {
		volume, source *int64
		want           uint32
	}{"of the containers": {nil, nil, runs}, "of the volume": {ptr(int64(ofVolume)), nil, ofVolume}, "of the source": {ptr(int64(ofVolume)), ptr(int64(own)), own}} {
		p := pod(v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{DefaultUser: c.volume, Sources: []v1.VolumeProjection{
			bundleSource(v1.ClusterTrustBundleProjection{Name: ptr("one"), User: c.source}),
			{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Path: "token", User: c.source}}}}}})
		p.UID = types.UID(strings.ReplaceAll(name, " ", "-"))
		p.Spec.Containers[0].SecurityContext = &v1.SecurityContext{RunAsUser: ptr(int64(runs))}
		g.must(g.Prepare(t.Context(), p))
		for _, file := range []string{"anchors", "token"} {
			info, err := os.Stat(filepath.Join(g.dir(p, "v"), file))
			g.must(err)
			if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != c.want || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s belongs to %d, mode %v", name, file, st.Uid, info.Mode())
			}
		}
	}
}
