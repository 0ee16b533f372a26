//go:build linux

package agent

import (
	"context"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/exec"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/logs"
	"github.com/skerry/skerry/services/agent/network"
	"github.com/skerry/skerry/services/agent/node"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime is all that an agent needs of the host's containers. Podman's driver is
// one, the simulated one of package fake another; runtimetest says what both hold to.
type Runtime interface {
	pod.Runtime
	image.Store
	network.Runtime
	node.Runtime
	logs.Runtime
	exec.Runtime
	action.Executor
	// Changes calls started once it listens, then emit for each container that ended
	// or vanished, until ctx ends or it cannot go on. One at a time.
	Changes(ctx context.Context, started func(), emit func(sandbox.Change)) error
	RemoveImage(ctx context.Context, id string) error
}

// Keep is what an agent remembers over restarts and reboots.
type Keep interface {
	pod.Keeper
	// Orders returns every kept work order with its last status.
	Orders() ([]*v1.Pod, error)
	PutObject(r schemas.Ref, obj schemas.Object) error
	// Object reads a kept object into obj; false if it was never kept.
	Object(r schemas.Ref, obj schemas.Object) (bool, error)
	DropObject(r schemas.Ref) error
	// Sweep forgets every object that is not in keep.
	Sweep(keep map[schemas.Ref]bool) error
}
