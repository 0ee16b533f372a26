package apiserver

import (
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
)

// kinds tells what is served, as discovery does over HTTP: to everybody who is somebody.
func (s *server) kinds(r *api.Request) (*api.Reply, error) {
	if r.User == anonymous {
		return nil, access.Forbidden(access.Of(r), "")
	}
	body, err := api.EncodeKinds(s.Table.All())
	return &api.Reply{Body: body}, err
}

// serves tells whether k is what the table has now.
func (s *server) serves(k *schemas.Kind) bool { return s.Table.ByResource(k.Resource) == k }

// rekind is told of every change of the table: whoever watches objects of the kind that was, and what
// is remembered of it, must not outlive it.
func (s *server) rekind(c schemas.Change) {
	if c.Old == nil {
		return
	}
	s.state.Hub.Feed(c.Old.Resource).End()
	s.registry.Fields.Forget(c.Old)
}
