package apiserver

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/audit"
	"github.com/skerry/skerry/services/apiserver/registry"
	"github.com/skerry/skerry/services/apiserver/watch"
)

// Do implements api.Server.
func (s *server) Do(ctx context.Context, r *api.Request) (*api.Reply, error) {
	start := s.Clock()
	own, by, err := s.act(ctx, r)
	if err != nil {
		if writes(r.Verb) {
			s.record(r, nil, start, err)
		}
		return nil, err
	}
	if own.Verb == api.VerbCreateMany || own.Verb == api.VerbDeleteMany {
		return s.many(ctx, own, by)
	}
	if err := s.tooMany(own); err != nil {
		return nil, err
	}
	reply, err := s.do(ctx, own)
	if writes(own.Verb) && !own.DryRun {
		s.record(own, by, start, err)
	}
	return reply, err
}

func (s *server) do(ctx context.Context, r *api.Request) (*api.Reply, error) {
	if r.Verb == api.VerbKinds {
		return s.kinds(r)
	}
	if r.Verb == api.VerbState {
		if err := s.authorize(ctx, r); err != nil {
			return nil, err
		}
		return s.registry.KeysOf(ctx, r)
	}
	k, err := s.admitRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.registry.Do(ctx, r, k)
}

// Watch implements api.Server.
func (s *server) Watch(ctx context.Context, r *api.Request) (api.Source, error) {
	own, _, err := s.act(ctx, r)
	if err != nil {
		return nil, err
	}
	k, err := s.admitRequest(ctx, own)
	if err != nil {
		return nil, err
	}
	rep := s.state
	if k.Store == schemas.StoreEvents {
		rep = s.happened
	}
	w, err := watch.Open(rep, k, s.serves, own)
	if err != nil {
		return nil, err // and no Source
	}
	return w, nil
}

// admitRequest finds the kind that r is about, and checks that its user may ask.
func (s *server) admitRequest(ctx context.Context, r *api.Request) (*schemas.Kind, error) {
	k := s.Table.ByResource(r.Resource)
	if k == nil {
		return nil, registry.NoKind(r.Resource)
	}
	if !k.Namespaced {
		r.Namespace = ""
	}
	return k, s.authorize(ctx, r)
}

// authorize refuses what no rule allows. The rules read the state: a refusal stands
// only if it holds for the newest one.
func (s *server) authorize(ctx context.Context, r *api.Request) error {
	return s.allow(ctx, access.Of(r))
}

func (s *server) allow(ctx context.Context, a access.Attributes) error {
	ok, why := s.access.Authorize(a)
	if ok {
		return nil
	}
	// A pod may have been placed just now, a role been given.
	if a.Resource != schemas.Events {
		if err := s.state.Fresh(ctx); err != nil {
			return err
		}
		if ok, why = s.access.Authorize(a); ok {
			return nil
		}
	}
	return access.Forbidden(a, why)
}

func writes(v api.Verb) bool {
	switch v {
	case api.VerbCreate, api.VerbUpdate, api.VerbPatch, api.VerbDelete, api.VerbDeleteCollection:
		return true
	}
	return false
}

// record audits a write. Events about events would never end.
func (s *server) record(r *api.Request, by []bus.User, start time.Time, err error) {
	if r.Resource == schemas.Events {
		return
	}
	rec := audit.Record{
		Time: start.UTC(), User: r.User, By: by, Verb: r.Verb, Object: r.Ref().String(), Subresource: r.Subresource,
		Code: 200, Note: r.AuditNote, Millis: float64(s.Clock().Sub(start).Microseconds()) / 1000,
	}
	if err != nil {
		st := status.Of(err)
		rec.Code, rec.Reason = st.Code, string(apierrors.ReasonForError(err))
	}
	s.audit.Add(rec)
}
