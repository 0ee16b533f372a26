// Package exec is `skerry exec`: a command in a running container.
//
// It carries stdin, stdout and stderr over a stream to the pod's agent. What always
// holds: the exit code is the command's own, and the terminal is put back in order
// however the command ends.
package exec

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/cli/console"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry exec`.
type Command struct {
	Pod       string   `arg:"" help:"The pod, or a workload (deployment/web) of which one pod is chosen."`
	Command   []string `arg:"" optional:"" help:"After --: the command and its arguments."`
	Container string   `short:"c" help:"Container of the pod." placeholder:"NAME"`
	Stdin     bool     `short:"i" help:"Pass stdin on."`
	TTY       bool     `short:"t" help:"Give the command a terminal."`
	Quiet     bool     `short:"q" help:"Print only what the command prints."`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if len(c.Command) == 0 {
		return failure.Usage("you must specify at least one command for the container, after --")
	}
	pod, container, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	tty := c.TTY
	if tty && s.Terminal == nil {
		if !c.Quiet {
			fmt.Fprintln(s.Stderr, "Unable to use a TTY - input is not a terminal or the right kind of file")
		}
		tty = false
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	st, err := remote.Dial(ctx, conn, schemas.NodeName(pod.Spec.NodeName), remote.Exec{Pod: remote.PodOf(pod), PodExecOptions: corev1.PodExecOptions{
		Container: container, Command: c.Command, Stdin: c.Stdin, Stdout: true, Stderr: !tty, TTY: tty,
	}})
	if err != nil {
		return err
	}
	return (&console.Console{Session: s, Stream: st, Stdin: c.Stdin, TTY: tty}).Run(ctx)
}

func (c *Command) find(ctx context.Context, s *session.Session) (*corev1.Pod, string, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, "", err
	}
	pods, err := target.PodsOf(ctx, client, s.Table, s.Namespace(), c.Pod)
	if err != nil {
		return nil, "", err
	}
	pod := pods[0]
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil, "", fmt.Errorf("cannot exec into a container in a completed pod; current phase is %s", pod.Status.Phase)
	}
	if pod.Spec.NodeName == "" {
		return nil, "", fmt.Errorf("pod %s does not have a host assigned", pod.Name)
	}
	container, err := target.Container(s.Stderr, pod, c.Container)
	return pod, container, err
}
