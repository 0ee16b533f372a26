package podman

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// follow follows a running container's process and its cgroup.
func (d *Driver) follow(p cgroup.Process) {
	if p.PID <= 0 {
		return
	}
	d.exits.watch(p.Key, p.ID, p.PID)
	d.cgroups.Watch(p)
}

// process is that of a listed container; without a PID unless it runs.
func process(c entities.ListContainer) cgroup.Process {
	p := cgroup.Process{Key: sandbox.KeyOf(c.Labels), UID: types.UID(c.Labels[sandbox.LabelUID]), Container: c.Labels[sandbox.LabelContainer], ID: c.ID, NoPod: c.Pod == ""}
	if state(c.State) == sandbox.Running {
		p.PID = c.Pid
	}
	return p
}

// early are containers, by id, to be followed before their process does anything: those
// with a limit of memory may have ended for it by the time that anybody looks. There are
// none where the kernel's log tells of it: initializing and looking at a container costs
// its start two requests.
type early struct {
	mu   sync.Mutex
	byID map[string]cgroup.Process
}

func (e *early) add(p cgroup.Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID == nil || len(e.byID) > 4096 { // made and never started
		e.byID = map[string]cgroup.Process{}
	}
	e.byID[p.ID] = p
}

func (e *early) take(id string) (cgroup.Process, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.byID[id]
	delete(e.byID, id)
	return p, ok
}

// initialize has the runtime make a container's process, which waits for its start,
// and follows it. It does nothing for containers that need not be followed so early.
func (d *Driver) initialize(ctx context.Context, id string) error {
	p, ok := d.early.take(id)
	if !ok {
		return nil
	}
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return err
	}
	resp, err := c.DoRequest(ctx, nil, http.MethodPost, "/containers/%s/init", url.Values{}, nil, id)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := resp.Process(nil); err != nil {
		return err
	}
	i, err := d.inspect(ctx, id)
	if err != nil || i == nil || i.State == nil {
		return err
	}
	p.PID = i.State.Pid
	d.follow(p)
	return nil
}
