// Package copy is `skerry cp`: files between this machine and a container.
//
// It reads and writes local files, and streams of tar archives to and from the pod's
// agent. What always holds: nothing outside the local destination is written, whatever an
// archive says; links are never followed or made; and files of any size pass through in pieces.
package copy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry cp`.
type Command struct {
	From       string `arg:"" name:"from" help:"What to copy: PATH here, or [NAMESPACE/]POD:PATH."`
	To         string `arg:"" name:"to" help:"Where to: PATH here, or [NAMESPACE/]POD:PATH."`
	Container  string `short:"c" help:"Container of the pod." placeholder:"NAME"`
	Retries    int    `help:"How often to go on with a copy from a container whose connection broke; negative is as often as it takes." default:"0" placeholder:"N"`
	NoPreserve bool   `help:"Owners and permissions are not kept: in the container, files belong to its user."`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	from, err := parseSpec(c.From)
	if err != nil {
		return err
	}
	to, err := parseSpec(c.To)
	if err != nil {
		return err
	}
	switch {
	case from.pod != "" && to.pod != "":
		return failure.Usage("one of src or dest must be a local file specification")
	case from.pod == "" && to.pod == "":
		return failure.Usage("one of src or dest must be a remote file specification")
	case from.path == "" || to.path == "":
		return failure.Usage("filepath can not be empty")
	case to.pod != "":
		e, err := c.end(ctx, s, to)
		if err != nil {
			return err
		}
		return e.upload(ctx, from.path, !c.NoPreserve)
	}
	e, err := c.end(ctx, s, from)
	if err != nil {
		return err
	}
	return e.download(ctx, to.path, !c.NoPreserve, c.Retries)
}

// spec is an argument: a path here, or in a pod.
type spec struct {
	namespace, pod, path string
}

func parseSpec(arg string) (spec, error) {
	i := strings.Index(arg, ":")
	if i < 0 || windowsPath(arg) {
		return spec{path: arg}, nil
	}
	pod, file := arg[:i], arg[i+1:]
	ns := ""
	if n, p, ok := strings.Cut(pod, "/"); ok {
		ns, pod = n, p
	}
	if pod == "" || strings.Contains(pod, "/") || ns == "" && strings.HasPrefix(arg, "/") {
		return spec{}, failure.Usage("filespec must match the canonical format: [[namespace/]pod:]file/path")
	}
	return spec{ns, pod, file}, nil
}

// windowsPath tells whether arg begins with a drive, such as C:\.
func windowsPath(arg string) bool {
	return len(arg) > 2 && arg[1] == ':' && arg[2] == '\\'
}

// end is a path in a container.
type end struct {
	s         *session.Session
	conn      *bus.Conn
	pod       *corev1.Pod
	container string
	path      string
}

func (c *Command) end(ctx context.Context, s *session.Session, sp spec) (*end, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, err
	}
	ns := s.Namespace()
	if sp.namespace != "" {
		ns = schemas.Namespace(sp.namespace)
	}
	pods, err := target.PodsOf(ctx, client, s.Table, ns, "pods/"+sp.pod)
	if err != nil {
		return nil, err
	}
	pod := pods[0]
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil, fmt.Errorf("cannot exec into a container in a completed pod; current phase is %s", pod.Status.Phase)
	}
	if pod.Spec.NodeName == "" {
		return nil, fmt.Errorf("pod %s does not have a host assigned", pod.Name)
	}
	name, err := target.Container(s.Stderr, pod, c.Container)
	if err != nil {
		return nil, err
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &end{s, conn, pod, name, sp.path}, nil
}

// ask opens a stream about a path of the container.
func (e *end) ask(ctx context.Context, r remote.Copy) (*stream.Stream, error) {
	r.Pod, r.Container = remote.PodOf(e.pod), e.container
	return remote.Dial(ctx, e.conn, schemas.NodeName(e.pod.Spec.NodeName), r)
}

// maxStat bounds what an agent may tell about a path.
const maxStat = 64 << 10

// stat tells what is at a path; found is false if nothing is.
func (e *end) stat(ctx context.Context, p string) (st remote.Stat, found bool, err error) {
	in, err := e.ask(ctx, remote.Copy{Path: p, Stat: true})
	if apierrors.IsNotFound(err) && !strings.HasPrefix(err.Error(), "pods ") {
		return st, false, nil
	}
	if err != nil {
		return st, false, err
	}
	defer func() { _ = in.Close() }()
	b, err := in.RecvMessage(ctx, maxStat)
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		return st, false, fmt.Errorf("look at %s: %w", p, err)
	}
	return st, true, nil
}

// label names a path of the container for a person.
func (e *end) label(p string) string { return e.pod.Name + ":" + p }

// clean is a path of a container without "..", trailing slashes and such.
func clean(p string) string { return path.Clean(p) }

// reader reads the bytes of a stream's frames.
type reader struct {
	ctx  context.Context
	st   *stream.Stream
	rest []byte
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		f, err := r.st.Recv(r.ctx)
		if err != nil {
			return 0, err // io.EOF: the end
		}
		r.rest = f.Data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// writer sends bytes as a stream's frames.
type writer struct {
	ctx context.Context
	st  *stream.Stream
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.st.Send(w.ctx, stream.Frame{Channel: remote.Stdin, Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

var (
	_ io.Reader = (*reader)(nil)
	_ io.Writer = (*writer)(nil)
)
