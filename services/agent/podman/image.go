package podman

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containers/podman/v4/pkg/bindings/images"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// ImageExists tells whether the image is in the store, by name, short name or id.
func (d *Driver) ImageExists(ctx context.Context, image string) (bool, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return false, err
	}
	defer cancel()
	ok, err := images.Exists(ctx, image, nil)
	if err != nil {
		return false, d.fail("look for image "+image, err)
	}
	return ok, nil
}

// PullImage fetches the image from its registry. Images under localhost/ have
// none: it fails at once rather than after Podman's retries.
func (d *Driver) PullImage(ctx context.Context, image string, c sandbox.Credential) error {
	if strings.HasPrefix(image, "localhost/") {
		return fmt.Errorf("pull image %s: images under localhost/ come from no registry; build or load it on this host", image)
	}
	ctx, cancel, err := d.call(ctx, pulled)
	if err != nil {
		return err
	}
	defer cancel()
	o := new(images.PullOptions).WithQuiet(true).WithPolicy("always")
	if c.Username != "" {
		o = o.WithUsername(c.Username).WithPassword(c.Password)
	}
	if _, err := images.Pull(ctx, image, o); err != nil {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	return nil
}

// Images lists what is in the store.
func (d *Driver) Images(ctx context.Context) ([]sandbox.Image, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return nil, err
	}
	defer cancel()
	list, err := images.List(ctx, nil)
	if err != nil {
		return nil, d.fail("list images", err)
	}
	out := make([]sandbox.Image, 0, len(list))
	for _, i := range list {
		names := append(append([]string{}, i.RepoDigests...), i.RepoTags...)
		out = append(out, sandbox.Image{
			ID: "sha256:" + i.ID, Names: names, Size: i.Size,
			Created: time.Unix(i.Created, 0), ReadOnly: i.ReadOnly,
		})
	}
	return out, nil
}

// RemoveImage removes an image that no container uses.
func (d *Driver) RemoveImage(ctx context.Context, id string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	_, errs := images.Remove(ctx, []string{strings.TrimPrefix(id, "sha256:")}, nil)
	if err := errors.Join(errs...); err != nil {
		return d.fail("remove image "+id, err)
	}
	return nil
}
