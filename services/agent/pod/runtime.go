package pod

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/hook"
	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime runs sandboxes and containers. Podman's driver is one; a simulated one
// must pass the same contract tests. Errors wrap the sentinels of package sandbox.
type Runtime interface {
	Observer
	Sandboxes
	Containers
	Accounts
}

// Accounts tells whose programs an image's are, and what they run on.
type Accounts interface {
	// Handler is the name of the OCI runtime that containers run on.
	Handler(ctx context.Context) (string, error)
	// ImageUser is sandbox.ErrImageUnknown if the image is not in the store.
	ImageUser(ctx context.Context, image string) (sandbox.ImageUser, error)
	// Accounts are those of the image with that id.
	Accounts(ctx context.Context, id string) (sandbox.Accounts, error)
}

// Observer shows what is there.
type Observer interface {
	// Pods lists every sandbox of the agent's.
	Pods(ctx context.Context) ([]sandbox.Pod, error)
	// Pod lists those of one pod's name: usually none or one.
	Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error)
	// Look looks again at a sandbox and its containers that are known, cheaper than a
	// list; sandbox.ErrNotFound once nothing is left.
	Look(ctx context.Context, known sandbox.Pod) (sandbox.Pod, error)
}

// Sandboxes makes and ends sandboxes.
type Sandboxes interface {
	// CreateSandbox makes it, not started; sandbox.ErrExists the second time.
	CreateSandbox(ctx context.Context, s sandbox.Spec) (id string, err error)
	StartSandbox(ctx context.Context, s sandbox.Spec) error
	// StopSandbox kills what runs in it and keeps it for its logs.
	StopSandbox(ctx context.Context, id string) error
	RemoveSandbox(ctx context.Context, id string) error
}

// Containers makes and ends containers.
type Containers interface {
	// CreateContainer may be called before its sandbox is started; sandbox.ErrImageUnknown
	// if the image is not in the store.
	CreateContainer(ctx context.Context, c sandbox.ContainerSpec) (id string, err error)
	StartContainer(ctx context.Context, id string) error
	StopContainer(ctx context.Context, id string, grace time.Duration) error
	RemoveContainer(ctx context.Context, id string) error
}

// Actions do what probes and hooks ask for.
type Actions interface {
	probe.Doer
	hook.Doer
}

// Orders are the work orders of this node.
type Orders interface {
	// Order returns the pod's work order, or nil: the same one until it changes; synced tells
	// whether the bus has listed the orders since the agent started.
	Order(k sandbox.Key) (order *share.Lean, synced bool)
}

// Reporter takes what the agent says about pods. It does not block on the bus.
type Reporter interface {
	// Post reports a pod's status; that of one that is ending may wait a little for the next.
	Post(p *v1.Pod, ending bool) error
	// Posted tells whether it has arrived; if not, then is called once it has.
	Posted(k sandbox.Key, then func()) bool
	// Drop withdraws what was reported.
	Drop(k sandbox.Key)
	// Remove asks the apiserver to remove a deleted pod; nil if it is gone.
	Remove(ctx context.Context, p *v1.Pod) error
}

// Keeper remembers orders over a reboot without the bus.
type Keeper interface {
	PutOrder(p *v1.Pod) error
	PutStatus(p *v1.Pod) error
	DropOrder(k sandbox.Key) error
}

// Recorder records events; it neither blocks nor fails.
type Recorder interface {
	Event(obj schemas.Object, eventType, reason, message string)
	// EventAt is about the part of obj at fieldPath.
	EventAt(obj schemas.Object, fieldPath, eventType, reason, message string)
}
