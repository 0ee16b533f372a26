// Package debug is `skerry debug`: a container to look into a pod, a copy of it, or a
// node.
//
// It reads pods and nodes, and makes an ephemeral container or a pod. What always
// holds: the pod that is looked into goes on as it was; what was made is named.
package debug

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/attach"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry debug`.
type Command struct {
	Target          string        `arg:"" help:"A pod, or node/NAME."`
	Command         []string      `arg:"" optional:"" help:"After --: the command and its arguments, instead of the image's."`
	Image           string        `help:"Image of the new container." placeholder:"IMAGE"`
	PullPolicy      string        `name:"image-pull-policy" help:"When to pull the image: Always, IfNotPresent or Never." placeholder:"POLICY"`
	Container       string        `short:"c" help:"Name of the new container." placeholder:"NAME"`
	TargetContainer string        `name:"target" help:"Container whose processes the new one sees." placeholder:"NAME"`
	CopyTo          string        `help:"Make a copy of the pod under this name, and leave the pod be." placeholder:"NAME"`
	Replace         bool          `help:"With --copy-to: delete the pod."`
	SameNode        bool          `help:"With --copy-to: on the pod's node."`
	SetImage        []string      `help:"With --copy-to: other images for containers, as NAME=IMAGE; * is all of them." placeholder:"NAME=IMAGE"`
	ShareProcesses  bool          `help:"With --copy-to: one view of processes for all containers." default:"true" negatable:""`
	Env             []string      `help:"Environment of the new container, as NAME=VALUE." sep:"none" placeholder:"NAME=VALUE"`
	Profile         string        `help:"What the new container may: general, baseline, restricted, netadmin or sysadmin." default:"general" enum:"general,baseline,restricted,netadmin,sysadmin,legacy" placeholder:"PROFILE"`
	Attach          bool          `help:"Join the container once it runs; also with -i."`
	Stdin           bool          `short:"i" help:"Pass stdin on."`
	TTY             bool          `short:"t" help:"Give the container a terminal."`
	Quiet           bool          `short:"q" help:"Print only what the container prints."`
	Timeout         time.Duration `name:"pod-running-timeout" help:"How long to wait for the container to run." default:"1m" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if err := c.check(); err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	arg := c.Target
	if !strings.Contains(arg, "/") {
		arg = "pods/" + arg
	}
	want, err := target.Parse(s.Table, []string{arg})
	if err != nil {
		return err
	}
	found, err := target.One(ctx, client, want, s.Namespace())
	if err != nil {
		return err
	}
	var pod *corev1.Pod
	name := ""
	switch o := found.Object.(type) {
	case *corev1.Node:
		pod, name, err = c.onNode(ctx, s, client, o)
	case *corev1.Pod:
		if c.CopyTo != "" {
			pod, name, err = c.asCopy(ctx, s, client, o)
		} else {
			pod, name, err = c.inside(ctx, s, client, o)
		}
	default:
		return fmt.Errorf("%q not supported by debug", found.Kind.Singular)
	}
	if err != nil || !c.Attach && !c.Stdin {
		return err
	}
	return attach.Session{Stdin: c.Stdin, TTY: c.TTY, Quiet: c.Quiet, Replay: true}.Follow(ctx, s, client, pod, name, c.Timeout)
}

func (c *Command) check() error {
	switch {
	case c.Image == "" && c.CopyTo == "" && !strings.HasPrefix(c.Target, "node"):
		return failure.Usage("you must specify --image")
	case c.Image == "" && strings.HasPrefix(c.Target, "node"):
		return failure.Usage("you must specify --image when the target is a node")
	case c.TTY && !c.Stdin:
		return failure.Usage("-i/--stdin is required for containers with -t/--tty=true")
	case c.CopyTo == "" && (c.Replace || c.SameNode || len(c.SetImage) > 0):
		return failure.Usage("--replace, --same-node and --set-image may only be used with --copy-to")
	case c.CopyTo != "" && c.TargetContainer != "":
		return failure.Usage("--target is incompatible with --copy-to. Use --share-processes instead.")
	case c.CopyTo != "" && c.Image == "" && len(c.SetImage) == 0:
		return failure.Usage("you must specify --image or --set-image with --copy-to")
	}
	for _, e := range c.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return failure.Usage("--env %q is not NAME=VALUE", e)
		}
	}
	return nil
}

// inside adds an ephemeral container to the pod.
func (c *Command) inside(ctx context.Context, s *session.Session, client *api.Client, pod *corev1.Pod) (*corev1.Pod, string, error) {
	ct, err := c.container(pod)
	if err != nil {
		return nil, "", err
	}
	if c.TargetContainer != "" {
		if target.Spec(pod, c.TargetContainer) == nil {
			return nil, "", fmt.Errorf("container %s is not valid for pod %s", c.TargetContainer, pod.Name)
		}
		c.say(s, "Targeting container %q. If you don't see processes from this container it may be because the container runtime doesn't support this feature.", c.TargetContainer)
	}
	if c.Container == "" {
		c.say(s, "Defaulting debug container name to %s.", ct.Name)
	}
	next := pod.DeepCopy()
	next.Spec.EphemeralContainers = append(next.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon(*ct), TargetContainerName: c.TargetContainer,
	})
	obj, err := client.Update(ctx, schemas.Pods, next, "ephemeralcontainers")
	if err != nil {
		return nil, "", err
	}
	out, ok := obj.(*corev1.Pod)
	if !ok {
		return nil, "", fmt.Errorf("the apiserver answered with %T", obj)
	}
	return out, ct.Name, nil
}

// container is the new container as the flags say.
func (c *Command) container(pod *corev1.Pod) (*corev1.Container, error) {
	ct := &corev1.Container{
		Name: c.Container, Image: c.Image, ImagePullPolicy: corev1.PullPolicy(c.PullPolicy),
		Stdin: c.Stdin, TTY: c.TTY, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext: securityOf(c.Profile),
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		ct.Env = append(ct.Env, corev1.EnvVar{Name: name, Value: value})
	}
	ct.Command = c.Command
	switch {
	case ct.Name == "":
		ct.Name = unused(pod)
	case pod != nil && target.Spec(pod, ct.Name) != nil:
		return nil, fmt.Errorf("container %s is already in pod %s", ct.Name, pod.Name)
	}
	return ct, nil
}

// unused is a name like kubectl's that no container of the pod has.
func unused(pod *corev1.Pod) string {
	for {
		name := "debugger-" + suffix()
		if pod == nil || target.Spec(pod, name) == nil {
			return name
		}
	}
}

// suffix is five letters and digits, without those that make words.
func suffix() string {
	const from = "bcdfghjklmnpqrstvwxz2456789"
	var b [5]byte
	for i := range b {
		b[i] = from[rand.IntN(len(from))]
	}
	return string(b[:])
}

func (c *Command) say(s *session.Session, format string, args ...any) {
	if !c.Quiet {
		fmt.Fprintf(s.Stderr, format+"\n", args...)
	}
}
