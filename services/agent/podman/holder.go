package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/specgen"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// holderName is the name of the container that shows the files of a pod's image volume.
func holderName(uid types.UID, volume string) string {
	return "skerry_image_" + string(uid) + "_" + volume
}

// MountImage returns the directory of an image's files, the same each time, until it is
// released; sandbox.ErrImageUnknown if the image is not here. Podman mounts images into containers
// only, and whole, and lets them be removed meanwhile: so a container is made of it, which is
// never started, and its files are mounted.
func (d *Driver) MountImage(ctx context.Context, uid types.UID, volume, image string) (string, error) {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return "", err
	}
	defer cancel()
	g := &specgen.SpecGenerator{}
	g.Name, g.Image, g.RawImageName = holderName(uid, volume), image, image
	g.NetNS = specgen.Namespace{NSMode: specgen.NoNetwork}
	g.Command = []string{"none"} // some images have none
	g.ImageVolumeMode = "ignore"
	if _, err := containers.CreateWithSpec(ctx, g, nil); err != nil {
		if err = d.fail("hold image "+image, err); errors.Is(err, sandbox.ErrNotFound) {
			err = errors.Join(sandbox.ErrImageUnknown, err)
		}
		if !errors.Is(err, sandbox.ErrExists) { // as it is by an agent before this one
			return "", err
		}
	}
	path, err := mountContainer(ctx, g.Name)
	if err != nil {
		return "", d.fail("mount image "+image, err)
	}
	return path, nil
}

// mountContainer mounts a container's files. Podman answers with the bare path, which the
// bindings take for JSON; a later one may answer with JSON.
func mountContainer(ctx context.Context, name string) (string, error) {
	conn, err := bindings.GetClient(ctx)
	if err != nil {
		return "", err
	}
	r, err := conn.DoRequest(ctx, nil, http.MethodPost, "/containers/%s/mount", nil, nil, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Body.Close() }()
	if !r.IsSuccess() {
		return "", r.Process(nil)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPath))
	if err != nil {
		return "", err
	}
	path := strings.TrimSpace(string(body))
	if unquoted, err := strconv.Unquote(path); err == nil {
		path = unquoted
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("podman says that the files are at %q", path)
	}
	return path, nil
}

// maxPath is the longest answer that is read.
const maxPath = 8 << 10

// ReleaseImage undoes MountImage; nothing mounts the files any more.
func (d *Driver) ReleaseImage(ctx context.Context, uid types.UID, volume string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	o := new(containers.RemoveOptions).WithForce(true).WithVolumes(true).WithTimeout(0).WithIgnore(true)
	if _, err := containers.Remove(ctx, holderName(uid, volume), o); err != nil {
		return d.fail("release image of volume "+volume, err)
	}
	return nil
}
