//go:build linux

package up

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/services/agent/mount"
)

// Down is `skerry down`.
type Down struct {
	DataDir      string        `help:"Folder of the cluster (default: as for up)." placeholder:"DIR"`
	PodmanSocket string        `help:"With --purge: socket of Podman's API." placeholder:"PATH"`
	Purge        bool          `help:"Remove everything too: pods, their network, the cluster's data and the context."`
	Timeout      time.Duration `help:"How long to wait until it has stopped." default:"60s" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Down) Run(ctx context.Context, s *session.Session) error {
	dir := resolve(s, c.DataDir)
	pid, running := dir.running()
	if running {
		if err := stopProcess(ctx, dir, pid, c.Timeout); err != nil {
			return err
		}
		s.Printf("Skerry on %s has stopped (pid %d).\n", dir, pid)
	} else {
		s.Printf("Skerry is not running on %s.\n", dir)
	}
	if !c.Purge {
		if running {
			s.Printf("Its containers go on running; `skerry up` takes them up again, `skerry down --purge` removes them.\n")
		}
		return nil
	}
	return c.purge(ctx, s, dir)
}

// stopProcess asks the process to stop and waits until it has released its lock.
func stopProcess(ctx context.Context, dir dataDir, pid int, limit time.Duration) error {
	if pid <= 0 {
		return fmt.Errorf("stop skerry: %s does not say which process it is", dir.path("skerry.pid"))
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	return session.Within(ctx, limit, func(ctx context.Context) error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, running := dir.running(); !running {
				return nil
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("stop process %d: %w", pid, failure.ErrTimeout)
			}
		}
	})
}

// purge removes what a cluster leaves on this machine.
func (c *Down) purge(ctx context.Context, s *session.Session, dir dataDir) error {
	log := logger(s.Stderr, "warn")
	release, err := dir.lock() // nobody starts it meanwhile
	if err != nil {
		return err
	}
	defer release()
	p, err := findPodman(ctx, s, c.PodmanSocket, dir)
	if err != nil {
		s.Warnf("pods are not removed: %v", err)
	} else {
		err = removePods(ctx, s, p.socket, dir.agent(), log)
		p.stop()
		if err != nil {
			return err
		}
	}
	// A node's folder has no keys of a cluster; the context is another cluster's then.
	ours := dir.hasAuthority()
	// Never through a mount: a pod's volume may show a folder of the host.
	if err := mount.Unmount(dir.agent()); err != nil {
		return fmt.Errorf("unmount volumes: %w", err)
	}
	left, err := dir.clear()
	if err != nil {
		return fmt.Errorf("remove data: %w", err)
	}
	if len(left) > 0 {
		s.Printf("Removed what Skerry had in %s; what else is there stays (%s).\n", dir, strings.Join(left, ", "))
	} else {
		s.Printf("Removed %s.\n", dir)
	}
	if !ours {
		return nil
	}
	return forget(s)
}

// forget removes the context that `up` wrote.
func forget(s *session.Session) error {
	path, err := s.ConfigPath()
	if err != nil {
		return err
	}
	f, err := config.Load(path)
	if err != nil {
		return err
	}
	if f.Find(contextName) == nil {
		return nil
	}
	f.Remove(contextName)
	return f.Save(path)
}
