package eviction

import (
	"context"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Host is what is measured. Every field is needed.
type Host struct {
	// Figures and Usage are the kernel's.
	Figures func() cgroup.Host
	Usage   func() []cgroup.Usage
	// DataDir is on the file system of logs and emptyDirs, Images returns a path on that of
	// images and writable layers, "" while nobody knows.
	DataDir string
	Images  func() string
	LogDir  string
	// Layer returns the directory of a container's writable layer, "" if there is none.
	Layer func(ctx context.Context, id string) (string, error)
	// EmptyDirs measures a pod's emptyDirs.
	EmptyDirs func(p *v1.Pod) ([]EmptyDir, error)
}

// EmptyDir is what one of them holds.
type EmptyDir struct {
	Name   string
	Used   Space
	Memory bool
}

// levels measures the signals. shared tells that images and the rest are on one file system.
func (h *Host) levels() (l Levels, shared bool) {
	l, shared = Levels{}, true
	f := h.Figures()
	if f.Memory > 0 {
		l[MemoryAvailable] = Level{f.Available, f.Memory}
	}
	if f.PIDs > 0 {
		l[PIDAvailable] = Level{f.PIDs - f.Processes, f.PIDs}
	}
	node, err := statFS(h.DataDir)
	if err == nil {
		l[NodeFSAvailable], l[NodeFSInodes] = node.bytes, node.inodes
	}
	if root := h.Images(); root != "" {
		if images, err := statFS(root); err == nil {
			l[ImageAvailable], l[ImageInodes] = images.bytes, images.inodes
			shared = images.device == node.device
		}
	}
	return l, shared
}

// partOf is what of a pod's disk use counts for s.
func partOf(s Signal, shared bool) part {
	if shared {
		return part{layers: true, local: true}
	}
	switch s {
	case ImageAvailable, ImageInodes:
		return part{layers: true}
	}
	return part{local: true}
}

// surveyor measures pods' use of the disk, no more than a small part of the time.
type surveyor struct {
	*Host
	now    func() time.Time
	layers map[string]string // by container id
	known  map[types.UID]Use
	next   time.Time
}

// Walking disks takes a twentieth of the time at most, and is not worth it more often
// than every few seconds.
const (
	rest    = 20
	between = 5 * time.Second
)

// due tells whether it is time to walk again.
func (s *surveyor) due() bool { return !s.now().Before(s.next) }

// survey measures the disk use of pods.
func (s *surveyor) survey(ctx context.Context, pods []*v1.Pod, running []cgroup.Usage) map[types.UID]Use {
	begun := s.now()
	layers := map[string]string{}
	out := map[types.UID]Use{}
	for _, p := range pods {
		out[p.UID] = s.disk(ctx, p, running, layers)
	}
	s.layers, s.known = layers, out
	took := s.now().Sub(begun)
	s.next = s.now().Add(max(between, rest*took))
	return out
}

func (s *surveyor) disk(ctx context.Context, p *v1.Pod, running []cgroup.Usage, layers map[string]string) Use {
	u := Use{Containers: map[string]ContainerUse{}, Volumes: map[string]Space{}, InMemory: map[string]int64{}}
	key := sandbox.Key{}
	for _, r := range running {
		if r.UID != p.UID {
			continue
		}
		key = r.Key
		c := u.Containers[r.Container]
		c.Layer.add(s.layer(ctx, r.ID, layers))
		u.Containers[r.Container] = c
	}
	dir := filepath.Join(s.LogDir, sandbox.Spec{Key: key, UID: p.UID}.Name())
	for name, c := range u.Containers {
		c.Logs = logSize(dir, name)
		u.Containers[name] = c
	}
	dirs, _ := s.EmptyDirs(p) // those that can be measured
	for _, d := range dirs {
		if d.Memory {
			u.InMemory[d.Name] = d.Used.Bytes
		} else {
			u.Volumes[d.Name] = d.Used
		}
	}
	return u
}

// layer measures a container's writable layer; nothing if nobody can.
func (s *surveyor) layer(ctx context.Context, id string, layers map[string]string) Space {
	dir, ok := s.layers[id]
	if !ok {
		var err error
		if dir, err = s.Layer(ctx, id); err != nil {
			return Space{}
		}
	}
	layers[id] = dir
	if dir == "" {
		return Space{}
	}
	n, err := size(ctx, dir)
	if err != nil {
		return Space{}
	}
	return n
}

// compute adds what the kernel says of memory and processes.
func compute(u Use, p *v1.Pod, running []cgroup.Usage) Use {
	out := Use{Containers: map[string]ContainerUse{}, Volumes: u.Volumes, InMemory: u.InMemory}
	for name, c := range u.Containers {
		out.Containers[name] = c
	}
	for _, r := range running {
		if r.UID != p.UID {
			continue
		}
		c := out.Containers[r.Container]
		c.Memory += r.Memory
		out.Containers[r.Container] = c
		out.Memory += r.Memory
		out.PIDs += r.PIDs
	}
	return out
}
