//go:build linux

package volume

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// rig is a manager whose bus, events and clock are the test's.
type rig struct {
	t testing.TB
	*Manager
	data string

	mu      sync.Mutex
	configs map[string]*v1.ConfigMap
	secrets map[string]*v1.Secret
	bundles []*certificatesv1.ClusterTrustBundle
	away    bool // the bus
	reads   int
	events  []string
	retried []sandbox.Key
	now     time.Time
	issued  int
	mount   Mount             // nil: the host's
	images  map[string]string // that are held: their directories, by volume
	host    disk.Host
	drivers Drivers
	plugins string
	flex    string
}

func newRig(t testing.TB) *rig {
	if os.Geteuid() != 0 {
		t.Fatal("volumes are mounted and given to other users: run the tests as root")
	}
	g := &rig{t: t, data: t.TempDir(), configs: map[string]*v1.ConfigMap{}, secrets: map[string]*v1.Secret{}, now: time.Unix(1_800_000_000, 0)}
	g.start()
	t.Cleanup(func() {
		if err := mount.Unmount(g.data); err != nil {
			t.Error(err)
		}
	})
	return g
}

// start starts a manager, as if the agent had just begun.
func (g *rig) start() {
	m, err := New(Config{
		Images: g,
		Dir:    g.data, Source: g, Tokens: g, Recorder: g, Log: slog.New(slog.DiscardHandler),
		Node: func() env.Node { return env.Node{Name: "n1"} },
		Retry: func(k sandbox.Key) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.retried = append(g.retried, k)
		},
		Mount: g.mount, Host: g.host, Drivers: g.drivers, Plugins: g.plugins, Flex: g.flex,
		Now: func() time.Time { g.mu.Lock(); defer g.mu.Unlock(); return g.now },
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.Manager = m
}

func (g *rig) Event(_ schemas.Object, eventType, reason, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, eventType+" "+reason+": "+message)
}

func (g *rig) ConfigMap(_ context.Context, _ schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reads++
	if g.away {
		return nil, errors.New("the bus cannot be reached")
	}
	return g.configs[string(name)], nil
}

func (g *rig) Secret(_ context.Context, _ schemas.Namespace, name schemas.Name) (*v1.Secret, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away {
		return nil, errors.New("the bus cannot be reached")
	}
	return g.secrets[string(name)], nil
}

func (g *rig) Token(_ context.Context, p *v1.Pod, audience string, seconds int64) (Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away {
		return Token{}, errors.New("the bus cannot be reached")
	}
	g.issued++
	return Token{Value: audience + string(rune('0'+g.issued)), Issued: g.now, Expires: g.now.Add(time.Duration(seconds) * time.Second)}, nil
}

func (g *rig) Bundle(_ context.Context, name schemas.Name) (*certificatesv1.ClusterTrustBundle, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.bundles {
		if b.Name == string(name) {
			return b, nil
		}
	}
	return nil, nil
}

func (g *rig) BundlesOf(_ context.Context, signer string) (out []*certificatesv1.ClusterTrustBundle, _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.bundles {
		if b.Spec.SignerName == signer {
			out = append(out, b)
		}
	}
	return out, nil
}

// config sets a ConfigMap; nil data removes it.
func (g *rig) config(name string, data map[string]string) {
	g.mu.Lock()
	delete(g.configs, name)
	if data != nil {
		g.configs[name] = &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Data: data}
	}
	g.mu.Unlock()
	g.Changed(schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "ns", Name: schemas.Name(name)})
}

// settle does the refreshing that is due now.
func (g *rig) settle(p *v1.Pod) error {
	_, err := g.refresh(g.t.Context(), p.UID)
	return err
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) dir(p *v1.Pod, volume string) string { return g.Path(p, volume) }

func (g *rig) file(path string) string {
	g.t.Helper()
	b, err := os.ReadFile(path)
	g.must(err)
	return string(b)
}

func pod(vs ...v1.Volume) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: types.UID("0123-uid"), Labels: map[string]string{"a": "b"}},
		Spec: v1.PodSpec{ServiceAccountName: "sa", Volumes: vs, Containers: []v1.Container{{Name: "c"}}}}
}

func emptyVolume(name string, s v1.EmptyDirVolumeSource) v1.Volume {
	return v1.Volume{Name: name, VolumeSource: v1.VolumeSource{EmptyDir: &s}}
}

func configVolume(name, cm string) v1.Volume {
	return v1.Volume{Name: name, VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: cm}}}}
}

func hostVolume(path string, t v1.HostPathType) v1.Volume {
	return v1.Volume{Name: "h", VolumeSource: v1.VolumeSource{HostPath: &v1.HostPathVolumeSource{Path: path, Type: &t}}}
}

// mounts mounts the volume v as m says.
func (g *rig) mounts(p *v1.Pod, m v1.VolumeMount) ([]sandbox.Mount, error) {
	c := &v1.Container{Name: "c", VolumeMounts: []v1.VolumeMount{m}}
	return g.Mounts(p, c, map[string]string{"NAME": "x"})
}

func link(t testing.TB, to, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func (g *rig) MountImage(_ context.Context, _ types.UID, volume, _ string) (string, error) {
	if g.images == nil {
		g.images = map[string]string{}
	}
	if g.images[volume] == "" {
		g.images[volume] = g.t.TempDir()
	}
	return g.images[volume], nil
}

func (g *rig) ReleaseImage(_ context.Context, _ types.UID, volume string) error {
	delete(g.images, volume)
	return nil
}
