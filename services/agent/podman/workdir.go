package podman

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	securejoin "github.com/cyphar/filepath-securejoin"
)

// workdirs remembers which working directories of which images lead through no symlink.
type workdirs struct {
	mu    sync.Mutex
	clean map[workdir]bool
}

type workdir struct{ image, path string }

// manyWorkdirs bounds what is remembered.
const manyWorkdirs = 1024

func (w *workdirs) has(d workdir) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clean[d]
}

func (w *workdirs) add(d workdir) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clean == nil || len(w.clean) >= manyWorkdirs {
		w.clean = map[workdir]bool{}
	}
	w.clean[d] = true
}

// settleWorkdir tells where a container that was made, and not started, is to work: "" if that
// is as it was made. Podman before 5.7.1 makes a missing working directory by its name from the host,
// so that a symlink in an image leads it out of the image (GHSA-q6r4-3wmg-fwcq): such a
// container must be made again with the path that its file system means.
func (d *Driver) settleWorkdir(ctx context.Context, id string) (string, error) {
	i, err := d.inspect(ctx, id)
	if err != nil || i == nil || i.Config == nil {
		return "", err
	}
	w := workdir{image: i.Image, path: i.Config.WorkingDir}
	if w.path == "" || w.path == "/" || d.workdirs.has(w) {
		return "", nil
	}
	root, err := d.mountRoot(ctx, id)
	if err != nil {
		return "", err
	}
	// The container has not run: nobody changes its files meanwhile.
	path, err := within(root, w.path)
	if umountErr := containers.Unmount(ctx, id, nil); umountErr != nil && err == nil {
		err = d.fail("unmount container "+id, umountErr)
	}
	if err != nil {
		return "", err
	}
	if path == filepath.Clean(w.path) {
		d.workdirs.add(w)
		return "", nil
	}
	return path, nil
}

// mountRoot mounts a container's file system and tells where. The bindings' own call expects
// JSON; servers answer with plain text.
func (d *Driver) mountRoot(ctx context.Context, id string) (string, error) {
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return "", err
	}
	resp, err := c.DoRequest(ctx, nil, http.MethodPost, "/containers/%s/mount", url.Values{}, nil, id)
	if err != nil {
		return "", d.fail("mount container "+id, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !resp.IsSuccess() {
		return "", d.fail("mount container "+id, resp.Process(nil))
	}
	const longest = 8 << 10
	b, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		return "", d.fail("mount container "+id, err)
	}
	root := strings.Trim(strings.TrimSpace(string(b)), `"`)
	if !filepath.IsAbs(root) || filepath.Clean(root) == "/" {
		return "", fmt.Errorf("mount container %s: the answer %q is no directory of a container", id, root)
	}
	return root, nil
}

// within resolves path as the file system below root means it.
func within(root, path string) (string, error) {
	full, err := securejoin.SecureJoin(root, path)
	if err != nil {
		return "", fmt.Errorf("resolve working directory: %w", err)
	}
	return filepath.Clean("/" + strings.TrimPrefix(full, filepath.Clean(root))), nil
}
