package session

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Patch is one patch of an object.
type Patch struct {
	Ref         schemas.Ref
	Subresource string
	Type        types.PatchType
	Content     any  // json.RawMessage goes as it is
	Strict      bool // unknown fields are errors
	DryRun      DryRun
}

// Send sends the patch, prints the server's warnings and returns its answer.
func (p Patch) Send(ctx context.Context, s *Session, client *api.Client) (*api.Reply, error) {
	r := &api.Request{
		Verb: api.VerbPatch, Resource: p.Ref.Resource, Namespace: p.Ref.Namespace, Name: p.Ref.Name, Subresource: p.Subresource,
		PatchType: p.Type, DryRun: p.DryRun == DryRunServer,
	}
	if p.Strict {
		r.FieldValidation = "Strict"
	}
	reply, err := Ask(ctx, client, r, p.Content)
	if err != nil {
		return nil, err
	}
	for _, w := range reply.Warnings {
		s.Warnf("%s", w)
	}
	return reply, nil
}
