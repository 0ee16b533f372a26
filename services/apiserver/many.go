package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/audit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// Events are told as well as can be. When a thousand pods start at once, most of what
// would be stored is that they did: beyond this rate only warnings are.
const (
	eventRate  rate.Limit = 1000 // a second
	eventBurst            = 2000
)

// many does one request for each line of r's body, all at once, so that their writes
// share a batch. Each is authorized, admitted and answered for itself.
func (s *server) many(ctx context.Context, r *api.Request, by []bus.User) (*api.Reply, error) {
	start := s.Clock()
	lines := api.Lines(r.Body)
	if len(lines) > api.MaxMany {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("%s: %d objects, at most %d", r.Verb, len(lines), api.MaxMany))
	}
	briefs := make([]api.Brief, len(lines))
	var all sync.WaitGroup
	for i, line := range lines {
		one := *r
		one.Brief, one.Body, one.Verb = true, line, api.VerbCreate
		if r.Verb == api.VerbDeleteMany {
			var w api.Removal
			if err := codec.Into(line, &w); err != nil {
				return nil, err
			}
			one.Verb, one.Body, one.Name, one.Delete = api.VerbDelete, nil, w.Name, &w.Delete
		} else if err := s.tooMany(&one); err != nil {
			briefs[i] = brief(nil, err)
			continue
		}
		all.Go(func() { briefs[i] = brief(s.do(ctx, &one)) })
	}
	all.Wait()
	s.recordMany(r, by, start, briefs)
	body, err := api.EncodeBriefs(briefs)
	return &api.Reply{Body: body}, err
}

func brief(reply *api.Reply, err error) (b api.Brief) {
	if err == nil {
		err = json.Unmarshal(reply.Body, &b)
	}
	if err != nil {
		st := status.Of(err)
		return api.Brief{Status: &st}
	}
	return b
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
		Time: start.UTC(), User: r.User, By: by, Verb: r.Verb, Object: r.Ref().String(), Code: 200,
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
