// Package attach is `skerry attach`: the streams of a container's own process.
//
// It carries stdin, stdout and stderr over a stream to the pod's agent. What always
// holds: the process goes on when the session ends, and what it wrote before is not shown.
package attach

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/cli/console"
	"github.com/skerry/skerry/cli/logs"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry attach`.
type Command struct {
	Pod       string        `arg:"" help:"The pod, or a workload (deployment/web) of which one pod is chosen."`
	Container string        `short:"c" help:"Container of the pod." placeholder:"NAME"`
	Stdin     bool          `short:"i" help:"Pass stdin on."`
	TTY       bool          `short:"t" help:"The container has a terminal: put this one through. ctrl-p ctrl-q leaves it."`
	Quiet     bool          `short:"q" help:"Print only what the process prints."`
	Timeout   time.Duration `name:"pod-running-timeout" help:"How long to wait for the container to run." default:"1m" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	pods, err := target.PodsOf(ctx, client, s.Table, s.Namespace(), c.Pod)
	if err != nil {
		return err
	}
	pod := pods[0]
	name, err := target.Container(s.Stderr, pod, c.Container)
	if err != nil {
		return err
	}
	pod, err = target.AwaitContainer(ctx, client, pod, name, c.Timeout)
	if err != nil {
		return err
	}
	return Session{Stdin: c.Stdin, TTY: c.TTY, Quiet: c.Quiet}.Join(ctx, s, pod, name)
}

// Session is how to attach.
type Session struct {
	Stdin, TTY, Quiet bool
	// Replay begins with what the process has written so far.
	Replay bool
}

// Join attaches to a running container until its process ends or the user leaves.
func (a Session) Join(ctx context.Context, s *session.Session, pod *corev1.Pod, container string) error {
	say := func(format string, args ...any) {
		if !a.Quiet {
			fmt.Fprintf(s.Stderr, format+"\n", args...)
		}
	}
	spec := target.Spec(pod, container)
	if spec == nil {
		return fmt.Errorf("container %s is not valid for pod %s", container, pod.Name)
	}
	if a.Stdin && !spec.Stdin {
		say("Warning: container %s takes no input: its manifest does not say `stdin: true`", container)
		a.Stdin = false
	}
	switch {
	case a.TTY && !spec.TTY:
		say("error: Unable to use a TTY - container %s did not allocate one", container)
		a.TTY = false
	case !a.TTY && spec.TTY && a.Stdin:
		a.TTY = true // it was launched with one, so keys have to go through as they are
	}
	if a.TTY && s.Terminal == nil {
		say("Unable to use a TTY - input is not a terminal or the right kind of file")
		a.TTY = false
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	st, err := remote.Dial(ctx, conn, schemas.NodeName(pod.Spec.NodeName), remote.Attach{Pod: remote.PodOf(pod), Replay: a.Replay, PodAttachOptions: corev1.PodAttachOptions{
		Container: container, Stdin: a.Stdin, Stdout: true, Stderr: !a.TTY, TTY: a.TTY,
	}})
	if err != nil {
		return err
	}
	if a.Stdin && a.TTY {
		say("If you don't see a command prompt, try pressing enter.")
	}
	err = (&console.Console{Session: s, Stream: st, Stdin: a.Stdin, TTY: a.TTY, Detach: true}).Run(ctx)
	if errors.Is(err, console.ErrDetached) {
		err = nil
	}
	if err == nil && a.Stdin && a.TTY && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		say("Session ended, resume using 'skerry attach %s -c %s -i -t' command when the pod is running", pod.Name, container)
	}
	return err
}

// Follow joins a container once it runs, or shows what it wrote if it is over already.
func (a Session) Follow(ctx context.Context, s *session.Session, client *api.Client, pod *corev1.Pod, container string, timeout time.Duration) error {
	pod, err := target.AwaitContainer(ctx, client, pod, container, timeout)
	if err == nil {
		err = a.Join(ctx, s, pod, container)
		// Between the look and the session it can have ended.
		if !apierrors.IsBadRequest(err) {
			return err
		}
	} else if !errors.Is(err, target.ErrEnded) {
		return err
	}
	if !a.Quiet {
		fmt.Fprintf(s.Stderr, "warning: couldn't attach to pod/%s, falling back to streaming logs: container %s has ended\n", pod.Name, container)
	}
	return logs.Print(ctx, s, pod, container)
}
