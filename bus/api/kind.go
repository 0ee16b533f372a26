package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/outline"
)

// kindsResource stands in the subject of VerbKinds.
var kindsResource = schemas.Resource{Plural: "kinds"}

// EncodeKinds renders what VerbKinds returns, without the kinds' schemas.
func EncodeKinds(kinds []*schemas.Kind) ([]byte, error) {
	out := make([]outline.Outline, len(kinds))
	for i, k := range kinds {
		out[i] = outline.Of(k)
		out[i].Schema = nil
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode kinds: %w", err)
	}
	return b, nil
}

// Kinds returns the kinds that the apiserver serves.
func (c *Client) Kinds(ctx context.Context) ([]outline.Outline, error) {
	reply, err := c.Do(ctx, &Request{Verb: VerbKinds, Resource: kindsResource})
	if err != nil {
		return nil, err
	}
	var out []outline.Outline
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		return nil, fmt.Errorf("decode kinds: %w", err)
	}
	return out, nil
}
