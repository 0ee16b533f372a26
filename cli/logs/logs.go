// Package logs is `skerry logs`: what containers wrote, now and as they go on.
//
// It reads streams of agents and writes only its output. What always holds: lines of
// several containers do not mix within a line.
package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry logs`.
type Command struct {
	Args          []string      `arg:"" optional:"" name:"pod" help:"A pod, or a workload (deployment/web) of which one pod is chosen; then a container."`
	Follow        bool          `short:"f" help:"Go on with what is written from now on."`
	Container     string        `short:"c" help:"Container of the pod." placeholder:"NAME"`
	AllContainers bool          `help:"All containers of the pod."`
	Previous      bool          `short:"p" help:"The container's run before this one."`
	Tail          *int64        `help:"Only the last lines; -1 for all (10 with a selector)." placeholder:"N"`
	Since         time.Duration `help:"Only what is newer than this (5s, 2m, 3h)." placeholder:"DURATION"`
	SinceTime     string        `help:"Only what is newer than this time (RFC 3339)." placeholder:"TIME"`
	Timestamps    bool          `help:"Begin each line with its time."`
	Prefix        bool          `help:"Begin each line with its pod and container."`
	LimitBytes    int64         `help:"Stop after this many bytes; 0 is no limit." default:"0" placeholder:"N"`
	Selector      string        `short:"l" help:"Of all pods whose labels match." placeholder:"LABELS"`
	AllPods       bool          `help:"Of all pods of the workload, not of one."`
	MaxRequests   int           `name:"max-log-requests" help:"How many containers may be followed at once." default:"5" placeholder:"N"`
	Timeout       time.Duration `name:"pod-running-timeout" help:"How long to wait for a pod of the workload and, with -f, for the container to start." default:"20s" placeholder:"DURATION"`
	IgnoreErrors  bool          `help:"Go on when one container cannot be read."`
}

// selectorTail is how many lines come of each of many pods by default, as in kubectl.
const selectorTail = 10

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	sources, err := c.sources(ctx, s)
	if err != nil {
		return err
	}
	if c.Follow && len(sources) > 1 && len(sources) > c.MaxRequests {
		return fmt.Errorf("you are attempting to follow %d log streams, but maximum allowed concurrency is %d, use --max-log-requests to increase the limit", len(sources), c.MaxRequests)
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	out := &printer{w: s.Stdout}
	read := func(ctx context.Context, src source) error {
		o := *options
		o.Container = src.container
		prefix := ""
		if c.Prefix || c.AllPods {
			prefix = label(src, s.Terminal != nil && s.Getenv("NO_COLOR") == "")
		}
		try := func() error { return copyLog(ctx, conn, src, &o, out.lines(prefix), s.Warnf) }
		err := try()
		if err != nil && c.Follow && !c.Previous && !c.IgnoreErrors {
			err = c.await(ctx, s, err, early, func() error {
				if err := src.place(ctx, s); err != nil {
					return err
				}
				return try()
			})
		}
		if err != nil && c.IgnoreErrors && ctx.Err() == nil {
			fmt.Fprintf(s.Stderr, "error: %v\n", err)
			return nil
		}
		return err
	}
	if !c.Follow {
		for _, src := range sources {
			if err := read(ctx, src); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, src := range sources {
		g.Go(func() error { return read(ctx, src) })
	}
	return g.Wait()
}

func (c *Command) options() (*corev1.PodLogOptions, error) {
	o := &corev1.PodLogOptions{Follow: c.Follow, Previous: c.Previous, Timestamps: c.Timestamps}
	switch {
	case c.LimitBytes < 0:
		return nil, failure.Usage("--limit-bytes must be greater than 0")
	case c.Since < 0:
		return nil, failure.Usage("--since must be greater than 0")
	case c.Tail != nil && *c.Tail < -1:
		return nil, failure.Usage("--tail must be greater than or equal to -1")
	case c.AllContainers && c.Container != "":
		return nil, failure.Usage("--all-containers=true should not be specified with container name %s", c.Container)
	}
	switch {
	case c.Since > 0 && c.SinceTime != "":
		return nil, failure.Usage("at most one of --since-time and --since may be specified")
	case c.Since > 0:
		seconds := int64((c.Since + time.Second - 1) / time.Second)
		o.SinceSeconds = &seconds
	case c.SinceTime != "":
		t, err := time.Parse(time.RFC3339, c.SinceTime)
		if err != nil {
			return nil, failure.Usage("--since-time must be a time like 2024-08-30T06:00:00Z: %w", err)
		}
		o.SinceTime = &metav1.Time{Time: t}
	}
	if c.LimitBytes > 0 {
		o.LimitBytes = &c.LimitBytes
	}
	switch {
	case c.Tail != nil && *c.Tail >= 0:
		o.TailLines = c.Tail
	case c.Tail == nil && c.Selector != "":
		n := int64(selectorTail)
		o.TailLines = &n
	}
	return o, nil
}

// source is one container to read.
type source struct {
	pod       *corev1.Pod
	container string
}

// sources finds the containers that the arguments mean.
func (c *Command) sources(ctx context.Context, s *session.Session) ([]source, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, err
	}
	if c.Selector != "" {
		if len(c.Args) > 0 {
			return nil, failure.Usage("only a selector (-l) or a POD name is allowed")
		}
		pods, err := target.Pods(ctx, client, s.Namespace(), c.Selector)
		if err != nil {
			return nil, err
		}
		if len(pods) == 0 {
			fmt.Fprintf(s.Stderr, "No resources found in %s namespace.\n", s.Namespace())
		}
		return c.containers(s, pods)
	}
	arg, container, err := c.names(s)
	if err != nil {
		return nil, err
	}
	if container != "" {
		c.Container = container
	}
	var pods []*corev1.Pod
	find := func() (err error) {
		pods, err = target.PodsOf(ctx, client, s.Table, s.Namespace(), arg)
		return err
	}
	if err := find(); err != nil {
		if err = c.await(ctx, s, err, noPods, find); err != nil {
			return nil, err
		}
	}
	if len(pods) > 1 && !c.AllPods {
		fmt.Fprintf(s.Stderr, "Found %d pods, using pod/%s\n", len(pods), pods[0].Name)
		pods = pods[:1]
	}
	return c.containers(s, pods)
}

// names reads "POD", "POD CONTAINER", "TYPE/NAME" and "TYPE NAME".
func (c *Command) names(s *session.Session) (arg, container string, err error) {
	switch len(c.Args) {
	case 1:
		return c.Args[0], "", nil
	case 2:
		if c.Container != "" || c.AllContainers {
			return "", "", failure.Usage("only one of -c or an inline [CONTAINER] arg is allowed")
		}
		return c.Args[0], c.Args[1], nil
	}
	return "", "", failure.Usage("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'; POD or TYPE/NAME is a required argument for the logs command")
}

func (c *Command) containers(s *session.Session, pods []*corev1.Pod) ([]source, error) {
	var out []source
	var errs []error
	for _, p := range pods {
		if c.AllContainers {
			for _, ct := range append(append([]corev1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...) {
				out = append(out, source{p, ct.Name})
			}
			for _, ct := range p.Spec.EphemeralContainers {
				out = append(out, source{p, ct.Name})
			}
			continue
		}
		name, err := target.Container(s.Stderr, p, c.Container)
		errs = append(errs, err)
		if err == nil {
			out = append(out, source{p, name})
		}
	}
	return out, errors.Join(errs...)
}
