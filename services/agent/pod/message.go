package pod

import (
	"context"
	"errors"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/message"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// LogTail reads the end of a container's log: at most lines, and at most limit bytes.
type LogTail func(ctx context.Context, id string, lines, limit int) (string, error)

// messages reads the last words of the containers that have ended, once each.
func (r *Reconciler) messages(ctx context.Context, e *entry, in Input) error {
	mine, _ := in.split()
	if in.Order == nil || mine == nil {
		return nil
	}
	for i := range mine.Containers {
		n := &mine.Containers[i]
		if _, read := e.seldom().messages[n.ID]; read || n.State != sandbox.Exited {
			continue
		}
		c, ok := member.Find(in.Order, n.Name)
		if !ok {
			continue
		}
		text, err := r.lastWords(ctx, in.Order.UID, c.Container, n)
		if errors.Is(err, sandbox.ErrUnreachable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			text = "Error on reading termination message: " + err.Error()
		}
		e.few().messages = with(e.seldom().messages, n.ID, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return nil
}

func (r *Reconciler) lastWords(ctx context.Context, uid types.UID, c *v1.Container, n *sandbox.Container) (string, error) {
	text, err := r.Messages.Read(uid, n.Name, n.Attempt)
	failed := n.ExitCode != 0 || n.OOMKilled
	if text != "" || err != nil || !failed || r.LogTail == nil || c.TerminationMessagePolicy != v1.TerminationMessageFallbackToLogsOnError {
		return text, err
	}
	return r.LogTail(ctx, n.ID, message.MaxLines, message.MaxLog)
}

// messageMount makes the file for a container's last words and mounts it.
func (l *launching) messageMount(c *starting) ([]sandbox.Mount, error) {
	if c.spec.TerminationMessagePath == "" {
		return nil, nil
	}
	path, err := l.Messages.Make(l.pod.UID, c.spec.Name, c.attempt)
	if err != nil || path == "" {
		return nil, err
	}
	return []sandbox.Mount{{Source: path, Target: c.spec.TerminationMessagePath}}, nil
}

// dropMessage removes the file of a container that is removed.
func (r *Reconciler) dropMessage(in Input, id string) error {
	for _, p := range in.Observed {
		for _, c := range p.Containers {
			if c.ID == id {
				return r.Messages.Drop(p.UID, c.Name, c.Attempt)
			}
		}
	}
	return nil
}

// SweepMessages removes the last words of pods that are gone.
func (r *Reconciler) SweepMessages() error {
	if r.Messages == nil {
		return nil // a simulated node: its containers say nothing
	}
	known := map[types.UID]bool{}
	r.mu.Lock()
	for _, e := range r.pods {
		known[e.uid] = true
		for _, p := range e.seen {
			known[p.UID] = true
		}
	}
	r.mu.Unlock()
	return r.Messages.Sweep(func(uid types.UID) bool { return known[uid] })
}
