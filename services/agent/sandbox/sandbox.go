// Package sandbox holds the plain types that the agent's parts share: what is
// asked of a container runtime, and what is seen there.
//
// It reads and writes nothing. A sandbox is a pod as the runtime has it: shared
// namespaces and the containers in them. What always holds: names are made of what
// they name, so that creating twice creates once, and everything needed to
// recognise a sandbox again after a crash is in its labels.
package sandbox

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Errors of a runtime that its callers tell apart.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("already exists")
	ErrImageUnknown = errors.New("image not known")
	ErrUnreachable  = errors.New("the container runtime does not answer")
)

// Key is a pod's namespace and name: what a work order is known by.
type Key struct {
	Namespace schemas.Namespace
	Name      schemas.Name
}

// String renders "default/web".
func (k Key) String() string { return string(k.Namespace) + "/" + string(k.Name) }

// Ref is k as a reference to the pod.
func (k Key) Ref() schemas.Ref {
	return schemas.Ref{Resource: schemas.Pods, Namespace: k.Namespace, Name: k.Name}
}

// State is a container's life.
type State string

const (
	Created State = "created" // never started
	Running State = "running"
	Paused  State = "paused"
	Exited  State = "exited"
	Unknown State = "unknown" // being changed by someone, or broken
)

// Pod is a sandbox as the runtime shows it.
type Pod struct {
	ID    string
	Key   Key
	UID   types.UID
	Grace time.Duration // terminationGracePeriodSeconds of its spec
	// Infra is the container that holds the namespaces; its State is the sandbox's.
	Infra Container
	// IP is known while the sandbox runs; "" on the host's network.
	IP          string
	HostNetwork bool
	// Users is that of the Namespaces that it was made with.
	Users      uint32
	Containers []Container
}

// Container is one container of a sandbox as the runtime shows it.
type Container struct {
	ID       string
	Name     string // of the pod's spec
	Attempt  int    // 0 for the first start
	Hash     string // of the spec it was made from
	Image    string
	ImageID  string
	State    State
	ExitCode int
	// OOMKilled is false when the runtime cannot tell.
	OOMKilled  bool
	StartedAt  time.Time
	FinishedAt time.Time
}

// Newest returns the container with the highest attempt of name, or nil.
func (p *Pod) Newest(name string) *Container {
	var best *Container
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.Name == name && (best == nil || c.Attempt > best.Attempt) {
			best = c
		}
	}
	return best
}

// Spec is what to make of a pod.
type Spec struct {
	Key      Key
	UID      types.UID
	Grace    time.Duration
	Hostname string
	// Alone: there is one container and all that it has is a network. A runtime may then do
	// without what holds namespaces for several.
	Alone bool
	// HostNetwork joins the host's network; otherwise Network is attached.
	HostNetwork bool
	Network     string
	Ports       []Port
	// Resources are those of the pod's own cgroup, which its containers share.
	Resources  Resources
	Namespaces Namespaces
}

// Port is published on the host.
type Port struct {
	HostIP    string
	Host      uint16
	Container uint16
	Protocol  string // tcp, udp, sctp
}

// ContainerSpec is what to make of one container of a pod.
type ContainerSpec struct {
	SandboxID  string
	Sandbox    Spec
	Name       string
	Attempt    int
	Hash       string
	Image      string
	Entrypoint []string // nil: the image's
	Args       []string
	Env        map[string]string
	WorkingDir string
	Stdin, TTY bool
	Resources  Resources
	Mounts     []Mount
	// PIDOf is the id of the container whose processes it sees, "" for the sandbox's own way.
	PIDOf string
	// StopSignal is sent to end it, such as SIGUSR1; "" is the image's, or SIGTERM.
	StopSignal string
	Security   Security
	// Devices are CDI names ("nvidia.com/gpu=0") or paths of the host's devices.
	Devices []string
}

// Mount binds a file or directory of the host into a container.
type Mount struct {
	Source, Target string // absolute paths, on the host and in the container
	ReadOnly       bool
	// Propagation is "rprivate" (also for ""), "rslave" or "rshared".
	Propagation string
	// Options are further ones of the runtime's, such as "noexec".
	Options []string
}

// Resources are cgroup limits; zero means none.
type Resources struct {
	CPUShares uint64
	CPUQuota  int64 // microseconds per period; -1 takes a quota away
	CPUPeriod uint64
	Memory    int64            // bytes; -1 takes a limit away
	Pids      int64            // -1 is no limit whatever the runtime's default is
	HugePages map[string]int64 // bytes by the page size as the kernel names it: "2MB"
	// OOMScore is the processes' oom_score_adj; nil leaves it to the runtime.
	OOMScore *int
}

// Within is r with pod's limits where it has none: what a container may use that has its pod's
// to itself.
func (r Resources) Within(pod Resources) Resources {
	if r.Memory == 0 {
		r.Memory = pod.Memory
	}
	if r.CPUQuota == 0 {
		r.CPUQuota, r.CPUPeriod = pod.CPUQuota, pod.CPUPeriod
	}
	return r
}

// SameCgroup tells whether r and o ask for the same CPU, memory and processes.
func (r Resources) SameCgroup(o Resources) bool {
	return r.CPUShares == o.CPUShares && r.CPUQuota == o.CPUQuota && r.CPUPeriod == o.CPUPeriod && r.Memory == o.Memory && r.Pids == o.Pids
}

// Change is a hint that something happened to a pod's containers: look again.
type Change struct {
	Key Key
	// Died is true when a container ended.
	Died bool
}

// Image is an image in the runtime's store.
type Image struct {
	ID      string
	Names   []string
	Size    int64
	Created time.Time
	// ReadOnly images come from a shared store and cannot be removed.
	ReadOnly bool
}
