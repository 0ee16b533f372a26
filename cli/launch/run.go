// Package launch is `skerry run`: an image in a pod of its own.
//
// It makes one pod from flags and, if it is asked to, joins its container. What always
// holds: without --attach or -i it returns once the pod is stored; with --rm the pod is
// deleted however the session ends.
package launch

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/attach"
	"github.com/skerry/skerry/cli/create"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/remove"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry run`.
type Command struct {
	create.Options
	Name string   `arg:"" help:"The pod's name."`
	Args []string `arg:"" optional:"" help:"After --: arguments for the image's command, or with --command the command itself."`

	Image        string            `help:"The image." placeholder:"IMAGE"`
	PullPolicy   string            `name:"image-pull-policy" help:"When to pull the image: Always, IfNotPresent or Never." placeholder:"POLICY"`
	Command      bool              `help:"What follows -- replaces the image's command."`
	Env          []string          `help:"Environment, as NAME=VALUE." sep:"none" placeholder:"NAME=VALUE"`
	Port         int32             `help:"Port that the container listens on." placeholder:"PORT"`
	Labels       map[string]string `short:"l" help:"Labels of the pod, instead of run=NAME." placeholder:"KEY=VALUE" mapsep:","`
	Annotations  []string          `help:"Annotations of the pod." sep:"none" placeholder:"KEY=VALUE"`
	Restart      string            `help:"When the container starts again: Always, OnFailure or Never." default:"Always" enum:"Always,OnFailure,Never" placeholder:"POLICY"`
	Privileged   bool              `help:"Run the container in privileged mode."`
	Overrides    string            `help:"JSON or YAML that changes the pod." placeholder:"PATCH"`
	OverrideType string            `help:"How --overrides changes it: merge, json or strategic." default:"merge" enum:"merge,json,strategic" placeholder:"TYPE"`

	Attach  bool          `help:"Join the container once it runs; also with -i."`
	Stdin   bool          `short:"i" help:"Pass stdin on."`
	TTY     bool          `short:"t" help:"Give the container a terminal."`
	Leave   bool          `name:"leave-stdin-open" help:"Keep stdin open after the session."`
	Remove  bool          `name:"rm" help:"Delete the pod when the session ends."`
	Quiet   bool          `short:"q" help:"Print only what the container prints."`
	Timeout time.Duration `name:"pod-running-timeout" help:"How long to wait for the container to run." default:"1m" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if err := c.check(); err != nil {
		return err
	}
	pod, err := c.pod()
	if err != nil {
		return err
	}
	if !c.joins() {
		return c.Object(ctx, s, schemas.Pods, pod)
	}
	made, err := c.Make(ctx, s, schemas.Pods, pod)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	pod, ok := made.Object.(*corev1.Pod)
	if !ok {
		return errors.New("the apiserver answered with something else than a pod")
	}
	err = c.join(ctx, s, client, pod)
	if c.Remove {
		// However the session ended, also by ctrl-c.
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, c.clear(over, s, client, made))
	}
	return err
}

func (c *Command) joins() bool { return c.Attach || c.Stdin }

func (c *Command) check() error {
	switch {
	case c.Image == "":
		return failure.Usage("--image is required")
	case c.TTY && !c.Stdin:
		return failure.Usage("-i/--stdin is required for containers with -t/--tty=true")
	case c.Remove && !c.joins():
		return failure.Usage("--rm should only be used for attached containers")
	case c.joins() && c.DryRun != session.DryRunNone:
		return failure.Usage("--dry-run=%s can't be used with attached containers options (--attach, --stdin, or --tty)", c.DryRun)
	case c.joins() && c.Output != "":
		return failure.Usage("-o cannot be used with a container that is joined")
	case c.Command && len(c.Args) == 0:
		return failure.Usage("--command needs a command after --")
	}
	return nil
}

// join follows the container; of a pod that is not started again, its exit code is ours.
func (c *Command) join(ctx context.Context, s *session.Session, client *api.Client, pod *corev1.Pod) error {
	at := attach.Session{Stdin: c.Stdin, TTY: c.TTY, Quiet: c.Quiet, Replay: true}
	err := at.Follow(ctx, s, client, pod, c.Name, c.Timeout)
	if err != nil || pod.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		return err
	}
	ended, err := target.AwaitEnd(ctx, client, pod)
	if err != nil {
		return err
	}
	if st := target.State(ended, c.Name); st != nil && st.State.Terminated != nil && st.State.Terminated.ExitCode != 0 {
		return failure.Exit(int(st.State.Terminated.ExitCode))
	}
	return nil
}

func (c *Command) clear(ctx context.Context, s *session.Session, client *api.Client, o target.Found) error {
	old := remove.Command{Cascade: "background", GracePeriod: -1, IgnoreNotFound: true, Silent: c.Quiet}
	return old.Remove(ctx, s, client, o)
}
