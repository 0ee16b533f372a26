package podman

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/containers"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// NetworkOf is the path of a running sandbox's network namespace.
func (d *Driver) NetworkOf(ctx context.Context, p sandbox.Pod) (string, error) {
	if bare(p.ID) && d.Spaces != nil {
		path, _, _ := d.Spaces.Paths(p.ID)
		return path, nil
	}
	pid, err := d.Pid(ctx, p.Infra.ID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/proc/%d/ns/net", pid), nil
}

// Pid is the main process of a running container, as the host numbers it.
func (d *Driver) Pid(ctx context.Context, id string) (int, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return 0, err
	}
	defer cancel()
	i, err := containers.Inspect(ctx, id, nil)
	if err != nil {
		return 0, d.fail("inspect container "+id, err)
	}
	if i.State == nil || i.State.Pid <= 0 {
		return 0, fmt.Errorf("find process of container %s: it does not run: %w", id, sandbox.ErrNotFound)
	}
	return i.State.Pid, nil
}

// statHeader carries what a path is, as base64 of JSON.
const statHeader = "X-Docker-Container-Path-Stat"

// StatPath tells what is at a path of a container.
func (d *Driver) StatPath(ctx context.Context, id, path string) (remote.Stat, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return remote.Stat{}, err
	}
	defer cancel()
	resp, err := d.archive(ctx, http.MethodHead, id, url.Values{"path": {path}}, nil)
	if err != nil {
		return remote.Stat{}, err
	}
	_ = resp.Body.Close()
	var st struct {
		Name       string      `json:"name"`
		Size       int64       `json:"size"`
		Mode       os.FileMode `json:"mode"`
		IsDir      bool        `json:"isDir"`
		LinkTarget string      `json:"linkTarget"`
	}
	b, err := base64.StdEncoding.DecodeString(resp.Header.Get(statHeader))
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		return remote.Stat{}, fmt.Errorf("read what %s is: %w", path, err)
	}
	out := remote.Stat{Name: st.Name, Size: st.Size, Dir: st.IsDir || st.Mode.IsDir()}
	if st.Mode&os.ModeSymlink != 0 {
		out.Link = st.LinkTarget
	}
	return out, nil
}

// Pack calls write with the archive of path in pieces.
func (d *Driver) Pack(ctx context.Context, id, path string, write func(p []byte) error) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	resp, err := d.archive(ctx, http.MethodGet, id, url.Values{"path": {path}}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(resp.Body, buf)
		if n > 0 {
			if err := write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && n > 0 {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				continue // a last piece, or a connection that broke: the next read tells
			}
			return nil
		}
		if err != nil {
			return d.fail("read archive of "+path, err)
		}
	}
}

// Unpack unpacks an archive into a directory that is there.
func (d *Driver) Unpack(ctx context.Context, id, dir string, keepOwner bool, archive io.Reader) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	q := url.Values{"path": {dir}, "copyUIDGID": {strconv.FormatBool(!keepOwner)}}
	resp, err := d.archive(ctx, http.MethodPut, id, q, archive)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// archive makes a request about files of a container.
func (d *Driver) archive(ctx context.Context, method, id string, q url.Values, body io.Reader) (*bindings.APIResponse, error) {
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if body != nil {
		header.Set("Content-Type", "application/x-tar")
	}
	resp, err := c.DoRequest(ctx, body, method, "/containers/%s/archive", q, header, id)
	if err != nil {
		return nil, d.fail("copy files of "+id, err)
	}
	if resp.IsSuccess() {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if method == http.MethodHead && resp.StatusCode == http.StatusNotFound { // it has no body to say so
		return nil, fmt.Errorf("look at %s: %w", q.Get("path"), sandbox.ErrNotFound)
	}
	return nil, d.fail("copy files of "+id, resp.Process(nil))
}
