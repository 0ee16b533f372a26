// Package remote is what users and agents say to each other about a pod's inside:
// the requests for logs, commands, attaching, forwarded ports and copies, and how a
// session ends. The bytes go over bus/stream.
//
// It reads and writes only the streams that it dials. What always holds: both ends,
// and every gateway between them, agree on one set of types; a request is checked
// before anything is made of it.
package remote

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// Verb is the last token of the subject that a session is asked for on.
type Verb string

// The verbs that an agent serves.
const (
	VerbLogs    Verb = "logs"
	VerbExec    Verb = "exec"
	VerbAttach  Verb = "attach"
	VerbForward Verb = "portforward"
	VerbCopy    Verb = "copy"
)

// Channels of exec and attach, as in Kubernetes' remote command protocol. An empty frame
// of Stdin is its end. Error carries a Status and is the last frame of exec. Logs and
// copies use Stdout, copies to a pod Stdin, forwarded ports Stdin and Stdout.
const (
	Stdin byte = iota
	Stdout
	Stderr
	Error
	Resize
)

// Size is a terminal's, in characters: the payload of a Resize frame, as JSON.
type Size struct{ Width, Height uint16 }

// Pod names the pod that is meant.
type Pod struct {
	Namespace schemas.Namespace `json:"namespace"`
	Name      schemas.Name      `json:"name"`
	// UID, if it is set, refuses a pod of that name that is not this one.
	UID types.UID `json:"uid,omitempty"`
}

// PodOf names p.
func PodOf(p *v1.Pod) Pod {
	return Pod{schemas.Namespace(p.Namespace), schemas.Name(p.Name), p.UID}
}

// Logs asks for a container's log. Its bytes come on channel Stdout.
type Logs struct {
	v1.PodLogOptions
	Pod
}

// Exec asks for a command. How it ended comes as a Status on channel Error.
type Exec struct {
	v1.PodExecOptions
	Pod
}

// Attach asks for the streams of a container's own process. It ends with a Status on
// channel Error, as Exec does.
type Attach struct {
	v1.PodAttachOptions
	Pod
	// Replay begins with what the process has written so far.
	Replay bool `json:"replay,omitempty"`
}

// Forward asks for one TCP connection to a port inside the pod. Each end's end of
// the stream is that of its direction.
type Forward struct {
	Pod
	Port uint16 `json:"port"`
}

// Copy asks for files of a container as a tar archive, or brings some.
type Copy struct {
	Pod
	Container string `json:"container,omitempty"`
	// Path is absolute, or relative to the container's working directory.
	Path string `json:"path"`
	// Put brings an archive, which is unpacked into the directory Path.
	Put bool `json:"put,omitempty"`
	// KeepOwner keeps the owners that the archive names; else files are the container's user's.
	KeepOwner bool `json:"keepOwner,omitempty"`
	// Stat asks only what is at Path: a Stat comes as the one message of the stream.
	Stat bool `json:"stat,omitempty"`
	// Skip leaves out the first bytes of the archive that comes: the other side has them.
	Skip int64 `json:"skip,omitempty"`
}

// Stat is what a path of a container is.
type Stat struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Dir  bool   `json:"dir,omitempty"`
	// Link is where a symbolic link leads, within the container.
	Link string `json:"link,omitempty"`
}

// Request is one of the requests above.
type Request interface{ verb() Verb }

func (Logs) verb() Verb    { return VerbLogs }
func (Exec) verb() Verb    { return VerbExec }
func (Attach) verb() Verb  { return VerbAttach }
func (Forward) verb() Verb { return VerbForward }
func (Copy) verb() Verb    { return VerbCopy }

// Dial asks the agent of node for a session. Errors are stream.Dial's.
func Dial(ctx context.Context, conn *bus.Conn, node schemas.NodeName, r Request) (*stream.Stream, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode request for %s: %w", r.verb(), err)
	}
	return stream.Dial(ctx, conn, bus.NodeSubject(node, conn.User, string(r.verb())), body)
}

// Serve serves the sessions of one verb, as stream.ServeNode does.
func Serve(ctx context.Context, conn *bus.Conn, node schemas.NodeName, verb Verb, limit int, h stream.Handler) error {
	return stream.ServeNode(ctx, conn, node, string(verb), limit, h)
}

// maxRequest bounds a request: a command line is the longest thing in one.
const maxRequest = 512 << 10

// Parse reads a request. Its errors are Statuses.
func Parse[T Request](b []byte) (T, error) {
	var r T
	if len(b) > maxRequest {
		return r, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("a request for %s may have %d bytes", r.verb(), maxRequest))
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, apierrors.NewBadRequest(fmt.Sprintf("the request for %s cannot be read: %v", r.verb(), err))
	}
	return r, nil
}
