package podman

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/bindings/images"
	"github.com/containers/podman/v4/pkg/specgen"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// accountCache remembers what images say of their users, by image id, which never
// changes what it is.
type accountCache struct {
	reading sync.Mutex // one at a time
	mu      sync.Mutex
	known   map[string]sandbox.Accounts
}

// The most images that are remembered, and the most bytes read of a file.
const (
	maxAccounts    = 64
	maxAccountFile = 1 << 20
)

// ImageUser tells the user that an image names; sandbox.ErrImageUnknown if it is not here.
func (d *Driver) ImageUser(ctx context.Context, image string) (sandbox.ImageUser, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return sandbox.ImageUser{}, err
	}
	defer cancel()
	i, err := images.GetImage(ctx, image, nil)
	if err != nil {
		if err = d.fail("inspect image "+image, err); errors.Is(err, sandbox.ErrNotFound) {
			err = fmt.Errorf("%w: %w", sandbox.ErrImageUnknown, err)
		}
		return sandbox.ImageUser{}, err
	}
	return sandbox.ImageUser{ID: i.ID, User: i.User}, nil
}

// Accounts reads the files of users and groups of the image with that id. Podman shows
// files of containers only: the first time one is made, and removed again.
func (d *Driver) Accounts(ctx context.Context, id string) (sandbox.Accounts, error) {
	d.accounts.reading.Lock()
	defer d.accounts.reading.Unlock()
	d.accounts.mu.Lock()
	a, ok := d.accounts.known[id]
	d.accounts.mu.Unlock()
	if ok {
		return a, nil
	}
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return a, err
	}
	defer cancel()
	if a, err = d.readAccounts(ctx, id); err != nil {
		return a, d.fail("read the accounts of image "+id, err)
	}
	d.accounts.mu.Lock()
	defer d.accounts.mu.Unlock()
	if d.accounts.known == nil || len(d.accounts.known) >= maxAccounts {
		d.accounts.known = map[string]sandbox.Accounts{}
	}
	d.accounts.known[id] = a
	return a, nil
}

func (d *Driver) readAccounts(ctx context.Context, id string) (a sandbox.Accounts, err error) {
	name := "skerry_accounts_" + id
	remove := func() error {
		o := new(containers.RemoveOptions).WithForce(true).WithVolumes(true).WithTimeout(0).WithIgnore(true)
		_, err := containers.Remove(ctx, name, o)
		return err
	}
	if err := remove(); err != nil { // left by a crash
		return a, err
	}
	g := &specgen.SpecGenerator{}
	g.Name, g.Image, g.RawImageName = name, id, id
	g.NetNS = specgen.Namespace{NSMode: specgen.NoNetwork}
	g.Command = []string{"none"} // some images have none; it is never started
	if _, err := containers.CreateWithSpec(ctx, g, nil); err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if a.Passwd, err = readFile(ctx, name, "/etc/passwd"); err != nil {
		return a, err
	}
	a.Group, err = readFile(ctx, name, "/etc/group")
	return a, err
}

// readFile reads a small file of a container; nil if it has none.
func readFile(ctx context.Context, container, path string) ([]byte, error) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	copied, err := containers.CopyToArchive(ctx, container, path, w)
	if err != nil {
		if errors.Is(classify(err), sandbox.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	go func() {
		err := copied()
		w.CloseWithError(err) // io.EOF if nil
		done <- err
	}()
	data, err := untar(r)
	r.Close() // the rest is not wanted: the copy ends
	<-done
	return data, err
}

func untar(r io.Reader) ([]byte, error) {
	t := tar.NewReader(r)
	h, err := t.Next()
	if err != nil {
		return nil, err
	}
	if h.Typeflag != tar.TypeReg {
		return nil, nil // a directory or a link to nowhere: no accounts
	}
	var buf bytes.Buffer
	_, err = io.Copy(&buf, io.LimitReader(t, maxAccountFile))
	return buf.Bytes(), err
}
