package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/audit"
)

// Events are told as well as can be. When a thousand pods start at once, most of what
// would be stored is that they did, and storing four events of each takes a third as long as
// starting it: beyond this rate only warnings are. What is kept then reaches four minutes
// back, for there is room for some 25,000.
const (
	eventRate  rate.Limit = 100 // a second
	eventBurst            = 500
)

// many does one request for each line of r's body, all at once, so that their writes
// share a batch. Each is authorized, admitted and answered for itself.
func (s *server) many(ctx context.Context, r *api.Request, by []bus.User) (*api.Reply, error) {
	start := s.Clock()
	var said notes
	briefs, err := api.Each(ctx, r, func(ctx context.Context, one *api.Request) (*api.Reply, error) {
		if err := s.tooMany(one); err != nil {
			return nil, err
		}
		reply, err := s.do(ctx, one)
		said.add(one.AuditNote)
		return reply, err
	})
	if err != nil {
		return nil, err
	}
	r.AuditNote = said.String()
	s.recordMany(r, by, start, briefs)
	body, err := api.EncodeBriefs(briefs)
	return &api.Reply{Body: body}, err
}

// tooMany refuses events that tell of ordinary things while there are too many of them.
func (s *server) tooMany(r *api.Request) error {
	if r.Resource != schemas.Events || r.Verb != api.VerbCreate || bytes.Contains(r.Body, []byte(`"type":"Warning"`)) || s.eventful.Allow() {
		return nil
	}
	return apierrors.NewTooManyRequests("there are more events than are kept", 1)
}

// recordMany audits the objects of one request in one record.
func (s *server) recordMany(r *api.Request, by []bus.User, start time.Time, briefs []api.Brief) {
	if r.Resource == schemas.Events || r.DryRun {
		return
	}
	rec := audit.Record{
		Time: start.UTC(), User: r.User, By: by, Verb: r.Verb, Object: r.Ref().String(), Code: 200, Note: r.AuditNote,
		Millis: float64(s.Clock().Sub(start).Microseconds()) / 1000,
	}
	for _, b := range briefs {
		said := string(b.Name)
		if b.Status != nil {
			said = fmt.Sprintf("%d %s: %s", b.Status.Code, b.Status.Reason, b.Status.Message)
		}
		rec.Objects = append(rec.Objects, said)
	}
	s.audit.Add(rec)
}

// notes are what the audit is to record of objects that come together, each text once: those
// of one template have the same. Safe for concurrent use.
type notes struct {
	mu    sync.Mutex
	texts []string
	more  int
}

// maxNotes bounds how many texts one record has.
const maxNotes = 8

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case text == "" || slices.Contains(n.texts, text):
	case len(n.texts) == maxNotes:
		n.more++
	default:
		n.texts = append(n.texts, text)
	}
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.Sort(n.texts)
	out := strings.Join(n.texts, "; ")
	if n.more > 0 {
		out += fmt.Sprintf("; and the like of %d more", n.more)
	}
	return out
}
