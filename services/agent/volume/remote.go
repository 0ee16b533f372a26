//go:build linux

package volume

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
)

const (
	// mountTimeout bounds one try to mount a file system of another machine.
	mountTimeout = 2 * time.Minute
	// mountPatience is how long the pod's start waits for it before it lets other pods have
	// its turn: a server that does not answer must not hold up the node.
	mountPatience = time.Second
)

// Mount mounts source, of type fstype, at target. It may take long and ends with ctx.
type Mount func(ctx context.Context, fstype, source, target string, options []string) error

// mountCommand mounts by the host's mount(8), as the kubelet does: it finds the helper of
// the type (mount.nfs), which speaks with the server before the kernel does.
func mountCommand(ctx context.Context, fstype, source, target string, options []string) error {
	args := []string{"-t", fstype}
	if len(options) > 0 {
		args = append(args, "-o", strings.Join(options, ","))
	}
	args = append(args, "--", source, target)
	cmd := exec.CommandContext(ctx, "mount", args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second // the helper has mount's output open too
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer: %w", ctx.Err())
	}
	return fmt.Errorf("mount failed: %w\nMounting command: mount\nMounting arguments: %s\nOutput: %s",
		err, strings.Join(args, " "), strings.TrimSpace(string(out)))
}

// errMounting says that a mount is under way.
var errMounting = errors.New("it is being mounted; the server has not answered yet")

// remote runs the mounts of file systems of other machines, one at a time for a directory.
type remote struct {
	mount    Mount
	patience time.Duration

	mu      sync.Mutex
	running map[string]*mounting
	stopped bool
	all     sync.WaitGroup
}

type mounting struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
	// late tells whether somebody went away without the result. Guarded by remote.mu.
	late bool
}

// nfs mounts an NFS volume at path, if it is not mounted. retry is called when a mount that
// took longer than mountPatience has ended.
func (m *Manager) nfs(ctx context.Context, s *v1.NFSVolumeSource, path string, retry func()) error {
	// The kernel's table is asked first: a look at the directory waits for the server.
	at, err := mountsBelow(path)
	if err != nil || len(at) > 0 {
		return err
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	var options []string
	if s.ReadOnly {
		options = append(options, "ro")
	}
	return m.remote.do(ctx, path, retry, func(ctx context.Context) error {
		return m.remote.mount(ctx, "nfs", nfsSource(s), path, options)
	})
}

// nfsSource is what mount.nfs calls the share. An address of IPv6 is told from the path by brackets.
func nfsSource(s *v1.NFSVolumeSource) string {
	server := s.Server
	if ip := net.ParseIP(server); ip != nil && ip.To4() == nil {
		server = "[" + server + "]"
	}
	return server + ":" + s.Path
}

// do runs f for path unless that runs already, and waits a moment for its end. Who went away
// without the result is told of the end by retry.
func (r *remote) do(ctx context.Context, path string, retry func(), f func(context.Context) error) error {
	r.mu.Lock()
	if r.stopped { // nobody would wait for its end
		r.mu.Unlock()
		return errors.New("the agent is stopping")
	}
	op, again := r.running[path]
	if !again {
		// The mount outlives the try to start the pod that asked for it.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), mountTimeout)
		op = &mounting{cancel: cancel, done: make(chan struct{})}
		r.running[path] = op
		r.all.Go(func() { r.run(limited, op, path, f, retry) })
	}
	r.mu.Unlock()
	if !again {
		patience := time.NewTimer(r.patience)
		defer patience.Stop()
		select {
		case <-op.done:
			return op.err
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-op.done:
		return op.err
	default:
		op.late = true
		return errMounting
	}
}

func (r *remote) run(ctx context.Context, op *mounting, path string, f func(context.Context) error, retry func()) {
	defer op.cancel()
	err := f(ctx)
	r.mu.Lock()
	delete(r.running, path)
	op.err = err
	close(op.done)
	late := op.late
	r.mu.Unlock()
	if late {
		retry()
	}
}

// abandon ends the mounts that are under way below dir, and waits for their end as long as
// a killed command takes.
func (r *remote) abandon(dir string) error {
	r.mu.Lock()
	var ops []*mounting
	for path, op := range r.running {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			ops = append(ops, op)
		}
	}
	r.mu.Unlock()
	deadline := time.NewTimer(2 * time.Second)
	defer deadline.Stop()
	for _, op := range ops {
		op.cancel()
		select {
		case <-op.done:
		case <-deadline.C:
			return fmt.Errorf("a mount below %s does not end", dir)
		}
	}
	return nil
}

// stop ends all mounts that are under way, and lets none begin.
func (r *remote) stop() {
	r.mu.Lock()
	r.stopped = true
	for _, op := range r.running {
		op.cancel()
	}
	r.mu.Unlock()
	r.all.Wait()
}
