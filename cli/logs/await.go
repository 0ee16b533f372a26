package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// errNoNode: the scheduler has not placed the pod.
var errNoNode = errors.New("not on a node yet")

// between is how long is waited before the next try.
const between = time.Second

// await tries again, after a first try that failed with err, while the reason is one that
// passes and the time that the user gives has not. Each reason is told once.
func (c *Command) await(ctx context.Context, s *session.Session, err error, passes func(error) bool, try func() error) error {
	limit := time.NewTimer(c.Timeout)
	defer limit.Stop()
	tick := time.NewTicker(between)
	defer tick.Stop()
	said := ""
	for err != nil && passes(err) {
		if text := err.Error(); text != said {
			fmt.Fprintln(s.Stderr, text)
			said = text
		}
		select {
		case <-ctx.Done():
			return err
		case <-limit.C:
			return err
		case <-tick.C:
			err = try()
		}
	}
	return err
}

// noPods is the error of a workload whose pods are still to be made.
func noPods(err error) bool { return errors.Is(err, target.ErrNoPods) }

// early is the error of a container that has not started.
func early(err error) bool { return errors.Is(err, errNoNode) || apierrors.IsBadRequest(err) }

// place looks again where the pod is, if it was nowhere.
func (src *source) place(ctx context.Context, s *session.Session) error {
	if src.pod.Spec.NodeName != "" {
		return nil
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := client.Get(ctx, schemas.RefOf(schemas.Pods, src.pod))
	if err != nil {
		return err
	}
	if p, ok := found.(*corev1.Pod); ok && p.UID == src.pod.UID {
		src.pod = p
	}
	return nil
}
