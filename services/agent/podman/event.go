package podman

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Changes calls started once the stream is open, then emit for each container of
// Skerry's that ended, vanished or was paused, until ctx ends or the stream breaks.
// An end may be told more than once. Podman's stream can drop events: the caller
// also looks for itself from time to time. One at a time.
func (d *Driver) Changes(ctx context.Context, started func(), emit func(sandbox.Change)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return d.exits.follow(ctx, func(k sandbox.Key) { emit(sandbox.Change{Key: k, Died: true}) })
	})
	g.Go(func() error { return d.events(ctx, started, emit) })
	return g.Wait()
}

// events follows Podman's own event stream.
func (d *Driver) events(ctx context.Context, started func(), emit func(sandbox.Change)) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return err
	}
	ctx = bound{ctx, conn}
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return err
	}
	filters, err := json.Marshal(map[string][]string{
		"type":  {"container"},
		"event": {"died", "remove", "pause", "unpause"},
	})
	if err != nil {
		return fmt.Errorf("encode event filters: %w", err)
	}
	q := url.Values{"stream": {"true"}, "filters": {string(filters)}}
	resp, err := c.DoRequest(ctx, nil, http.MethodGet, "/events", q, nil)
	if err != nil {
		return d.fail("open podman's event stream", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !resp.IsSuccess() {
		return d.fail("open podman's event stream", resp.Process(nil))
	}
	started()
	dec := json.NewDecoder(resp.Body)
	for {
		var e entities.Event
		if err := dec.Decode(&e); err != nil {
			return d.fail("read podman's event stream", err)
		}
		if k := sandbox.KeyOf(e.Actor.Attributes); k.Name != "" {
			d.exits.leave(e.Actor.ID) // its process alone does not tell how it is
			emit(sandbox.Change{Key: k, Died: e.Action == "died"})
		}
	}
}
