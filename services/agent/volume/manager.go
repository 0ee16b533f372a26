//go:build linux

package volume

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
	"github.com/skerry/skerry/services/agent/credential"
	"github.com/skerry/skerry/services/agent/csi"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/flex"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/reconcile"
)

// Recorder records events; it neither blocks nor fails.
type Recorder interface {
	Event(obj schemas.Object, eventType, reason, message string)
}

// Source reads the objects that volumes are made of.
type Source interface {
	env.Source
	Bundles
}

// Config is what a Manager works with.
type Config struct {
	// Dir is the agent's data directory; "" is that of a node that is only simulated: nothing is
	// made or mounted there.
	Dir    string
	Source Source
	// Tokens makes tokens of service accounts; nil: there are none.
	Tokens Tokens
	// Certificates has certificates issued; nil: there are none.
	Certificates Certificates
	Recorder     Recorder
	// Node is what files can tell of the node.
	Node func() env.Node
	// Retry is told which pod's volumes may be made now that could not before.
	Retry func(sandbox.Key)
	Now   func() time.Time
	Log   *slog.Logger
	// Images shows the files of images; nil: there are none.
	Images Images
	// Mount mounts file systems of other machines; nil: the host's mount(8) does.
	Mount Mount
	// Host is where the host's devices are.
	Host disk.Host
	// Drivers tells of storage drivers; nil: there are no objects of them.
	Drivers Drivers
	// Plugins is where storage drivers register; "" is plugins_registry below Dir.
	Plugins string
	// Flex is where FlexVolume drivers are; "" is where Kubernetes has them.
	Flex string
}

// Manager makes and refreshes the volumes of a node's pods. Safe for concurrent use.
type Manager struct {
	Config
	pods   string // <data>/pods
	memory string // <data>/memory, a tmpfs
	loop   *reconcile.Loop[types.UID]
	recent recent
	slow   *slow
	// All are nil if the node is only simulated.
	disks   *disk.Manager
	drivers *csi.Registry
	flexes  *flex.Drivers

	mounting sync.Mutex // of memory

	mu       sync.Mutex
	known    map[types.UID]*state
	users    map[schemas.Ref]map[types.UID]bool
	expected map[schemas.Ref]chan struct{} // who waits for a change closes none of them
}

// state is what is known of one pod's volumes. turn is held by who works on them.
type state struct {
	turn   sync.Mutex
	done   map[string]bool   // volumes that are made, by name
	images map[string]string // where the files of images are, by the name of the volume
	tokens map[string]Token
	// certificates are by volume and source; nil: not read yet.
	certificates map[string]*credential.Credential
	failed       string // the last failure that was told of
	gone         bool
	// republish are the volumes whose drivers want to publish them again and again.
	republish map[string]bool

	// Guarded by Manager.mu.
	pod     *v1.Pod
	waiting bool // its containers cannot start: some volume could not be made
}

// refreshers is how many pods' files are written at once.
const refreshers = 2

// New returns a manager of the volumes under c.Dir.
func New(c Config) (*Manager, error) {
	m := &Manager{Config: c, known: map[types.UID]*state{}, users: map[schemas.Ref]map[types.UID]bool{}, expected: map[schemas.Ref]chan struct{}{}}
	m.recent = recent{source: c.Source, now: c.Now, entries: map[schemas.Ref]*reading{}}
	m.slow = newSlow()
	if c.Mount == nil {
		m.Mount = mount.Command
	}
	m.loop = reconcile.New("volume", refreshers, c.Log, m.refresh)
	if c.Dir == "" {
		return m, nil
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	m.pods, m.memory = filepath.Join(dir, "pods"), filepath.Join(dir, "memory")
	for _, d := range []string{m.pods, m.memory} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return nil, fmt.Errorf("make volumes' directory: %w", err)
		}
	}
	m.drivers = csi.NewRegistry(cmp.Or(c.Plugins, filepath.Join(dir, "plugins_registry")), c.Log, m.driverCame)
	m.flexes = &flex.Drivers{Dir: cmp.Or(c.Flex, flex.DefaultDir)}
	m.disks = disk.New(disk.Config{Dir: filepath.Join(dir, "disks"), Pods: m.pods, Host: c.Host, Drivers: m.flexes, Log: c.Log})
	return m, nil
}

// simulated tells whether there is no host to make volumes on.
func (m *Manager) simulated() bool { return m.pods == "" }

// Run refreshes volumes, and lets go of what none of them uses any more, until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	defer m.slow.stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.loop.Run(ctx) })
	if !m.simulated() {
		g.Go(func() error { return m.disks.Run(ctx) })
		g.Go(func() error { return m.drivers.Run(ctx) })
	}
	return g.Wait()
}

// Ordered takes in a pod's order, new or changed: files that show its labels are written again.
func (m *Manager) Ordered(p *v1.Pod) {
	if len(p.Spec.Volumes) == 0 || m.simulated() {
		return
	}
	m.state(p)
	m.loop.Add(p.UID)
}

// state finds what is known of p's volumes, and has changes of what they are made of looked at.
func (m *Manager) state(p *v1.Pod) *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.known[p.UID]
	if s == nil {
		s = &state{done: map[string]bool{}, images: map[string]string{}, republish: map[string]bool{}}
		m.known[p.UID] = s
		for i := range p.Spec.Volumes {
			for _, ref := range refer.Volume(schemas.Namespace(p.Namespace), &p.Spec.Volumes[i].VolumeSource) {
				m.join(ref, p.UID)
			}
		}
	}
	s.pod = p
	return s
}

// settled drops the interest of s's pod in an object that cannot change any more.
func (m *Manager) settled(s *state, ref schemas.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leave(ref, s.pod.UID)
}

func (m *Manager) join(ref schemas.Ref, uid types.UID) {
	if m.users[ref] == nil {
		m.users[ref] = map[types.UID]bool{}
	}
	m.users[ref][uid] = true
}

func (m *Manager) leave(ref schemas.Ref, uid types.UID) {
	delete(m.users[ref], uid)
	if len(m.users[ref]) == 0 {
		delete(m.users, ref)
	}
}

// setUpError is a volume that could not be made, in the kubelet's words.
type setUpError struct {
	volume string
	err    error
}

func (e *setUpError) Error() string {
	step := "SetUp"
	if of := (*disk.Error)(nil); errors.As(e.err, &of) {
		step = of.Step
	}
	return fmt.Sprintf("MountVolume.%s failed for volume %q : %v", step, e.volume, e.err)
}

func (e *setUpError) Unwrap() error { return e.err }

// Prepare makes those of p's volumes that are not there. It fails with one error for each
// volume that could not be made, and tells Retry when that may have changed.
func (m *Manager) Prepare(ctx context.Context, p *v1.Pod) error {
	if len(p.Spec.Volumes) == 0 || m.simulated() {
		return nil
	}
	s := m.state(p)
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.gone {
		return fmt.Errorf("the pod's volumes have been removed")
	}
	// Before what is missing is read: what appears from here on is told of.
	m.setWaiting(s, true)
	var errs []error
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if s.done[v.Name] {
			continue
		}
		if err := m.setUp(ctx, s, p, v); err != nil {
			errs = append(errs, &setUpError{v.Name, err})
			continue
		}
		s.done[v.Name] = true
	}
	if d := m.renewal(s); d > 0 {
		m.loop.AddAfter(p.UID, d)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	m.setWaiting(s, false)
	return nil
}

func (m *Manager) setWaiting(s *state, w bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.waiting = w
}

// setUp makes one volume.
func (m *Manager) setUp(ctx context.Context, s *state, p *v1.Pod, v *v1.Volume) error {
	k := kindOf(v)
	path := m.path(p.UID, k, v.Name)
	switch {
	case k == kindEmpty:
		if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
			return err
		}
		return m.emptyDir(p, v.EmptyDir, path)
	case k == kindHost:
		return hostPath(v.HostPath)
	case k == kindImage:
		return m.image(ctx, s, p.UID, v.Name, v.Image.Reference)
	case k == kindNFS:
		return m.nfs(ctx, v.NFS, path, func() { m.Retry(keyOf(p)) })
	case k.disk():
		return m.disk(ctx, p, v, path)
	case k == kindCSI:
		return m.csi(ctx, s, p, v, path)
	case v.FlexVolume != nil:
		return m.flex(ctx, p, v, path)
	case k.made():
		want, err := m.payloadOf(ctx, s, p, v, m.Source, true)
		if err == nil {
			err = m.fill(p, v, path, want)
		}
		if err != nil && filled(path) {
			// An agent before this one made it: a container that starts anew is not held up.
			m.tell(s, p, &setUpError{v.Name, err})
			return nil
		}
		return err
	}
	return fmt.Errorf("volumes of this kind (%s) are not supported by this version of Skerry", source(v))
}

// filled tells whether a volume has its files, old ones maybe.
func filled(path string) bool {
	_, err := os.Stat(filepath.Join(path, dataLink))
	return err == nil
}

// fill writes the files of a volume whose files the agent writes.
func (m *Manager) fill(p *v1.Pod, v *v1.Volume, path string, want payload) error {
	if kindOf(v).secret() {
		if err := m.mountMemory(); err != nil {
			return err
		}
	}
	own := ownershipOf(p, true)
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err == nil {
		if err := open(path, p, &v1.EmptyDirVolumeSource{}); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	_, err := write(path, want, own, m.Now())
	return err
}

// mountMemory mounts the tmpfs for what is secret, one for all pods: a mount for each
// would make every container's start slower.
func (m *Manager) mountMemory() error {
	m.mounting.Lock()
	defer m.mounting.Unlock()
	there, err := inMemory(m.memory)
	if err != nil || there {
		return err
	}
	return tmpfs(m.memory, 0, 0o711)
}

// path is a volume's directory; "" for kinds that have none.
func (m *Manager) path(uid types.UID, k kind, name string) string {
	base := m.pods
	switch {
	case k.secret():
		base = m.memory
	case k == "" || k == kindHost:
		return ""
	}
	dir := filepath.Join(base, string(uid), "volumes", string(k), name)
	if k == kindCSI {
		return filepath.Join(dir, "mount")
	}
	return dir
}
