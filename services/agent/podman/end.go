package podman

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/domain/entities"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// ends remembers how containers were first seen to have ended. Podman makes a container
// that has ended ready to start once more when somebody attaches to it, and has forgotten
// its exit code then; nothing here runs twice, so that the first end is the end.
type ends struct {
	mu    sync.Mutex
	known map[string]end
}

type end struct {
	code int
	at   time.Time
}

// manyEnds bounds what is remembered, lostCode stands for an exit code that nobody can tell.
const (
	manyEnds = 4096
	lostCode = 137
)

// settle sets c right if it has ended before.
func (e *ends) settle(c *sandbox.Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, known := e.known[c.ID]
	switch {
	case c.State == sandbox.Running:
		delete(e.known, c.ID) // somebody started it again, behind our back
		return
	case forgotten(*c):
		c.State, c.ExitCode = sandbox.Exited, lostCode
	case c.State != sandbox.Exited:
		return
	}
	if known {
		c.ExitCode, c.FinishedAt = first.code, first.at
		return
	}
	if e.known == nil || len(e.known) >= manyEnds {
		e.known = map[string]end{}
	}
	e.known[c.ID] = end{c.ExitCode, c.FinishedAt}
}

// forgotten tells whether Podman has forgotten how a container ended.
func forgotten(c sandbox.Container) bool { return c.State == sandbox.Created && !c.StartedAt.IsZero() }

// settle sets c right if it has ended. An exit code that Podman has forgotten, and that nobody saw
// here, it may have told of as an event.
func (d *Driver) settle(ctx context.Context, c *sandbox.Container) {
	if forgotten(*c) && !d.ends.knows(c.ID) {
		code, err := d.toldCode(ctx, *c)
		if err != nil {
			d.log.Debug("look for the exit code of a container", "container", c.ID, "error", err)
		} else {
			c.State, c.ExitCode = sandbox.Exited, code
		}
	}
	d.ends.settle(c)
}

func (e *ends) knows(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.known[id]
	return ok
}

// toldCode is the exit code that Podman's events have of a container's first end since it was started.
func (d *Driver) toldCode(ctx context.Context, c sandbox.Container) (int, error) {
	client, err := bindings.GetClient(ctx)
	if err != nil {
		return 0, err
	}
	filters, err := json.Marshal(map[string][]string{"container": {c.ID}, "event": {"died"}})
	if err != nil {
		return 0, err
	}
	// A second earlier: times of containers and of events are not of the same moment.
	since := strconv.FormatInt(c.StartedAt.Unix()-1, 10)
	q := url.Values{"stream": {"false"}, "since": {since}, "filters": {string(filters)}}
	resp, err := client.DoRequest(ctx, nil, http.MethodGet, "/events", q, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if !resp.IsSuccess() {
		return 0, resp.Process(nil)
	}
	var e entities.Event
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return 0, err
	}
	return strconv.Atoi(e.Actor.Attributes["containerExitCode"])
}

// attachable tells whether a container's process is there to attach to. One that Podman has made
// ready to start once more for that is ended.
func (d *Driver) attachable(ctx context.Context, id string) (bool, error) {
	i, err := containers.Inspect(ctx, id, nil)
	if err != nil {
		return false, d.fail("inspect container "+id, err)
	}
	if i.State == nil {
		return false, d.fail("inspect container "+id, sandbox.ErrNotFound)
	}
	if state(i.State.Status) != sandbox.Created || i.State.StartedAt.IsZero() {
		return state(i.State.Status) != sandbox.Exited, nil
	}
	if i.State.Status == "initialized" {
		if err := containers.Stop(ctx, id, new(containers.StopOptions).WithTimeout(0)); err != nil {
			return false, d.fail("end container "+id, err)
		}
		return false, nil
	}
	// Its end was still being tidied up: Podman has lost track of the process that waits to be started.
	killOf(id, i.State.Pid)
	return false, nil
}

// killOf kills the process pid if it is in container id's cgroup: Podman's number may be old,
// and another process have it by now.
func killOf(id string, pid int) {
	if pid <= 1 {
		return
	}
	p, err := os.FindProcess(pid) // holds on to the process: the number cannot pass to another from here on
	if err != nil {
		return
	}
	defer func() { _ = p.Release() }()
	if groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); err == nil && strings.Contains(string(groups), id) {
		_ = p.Kill() // it may have ended
	}
}
