//go:build linux

package podmantest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
)

// applets are the commands that the test image has.
var applets = []string{"sh", "sleep", "cat", "echo", "env", "hostname", "httpd", "id", "kill", "ls", "stty", "test", "true", "false", "wget", "yes", "head", "tail", "dd", "date", "stat",
	"grep", "mount", "ps", "touch", "readlink", "mkdir", "ln"}

// accounts are the users of the test image: app, 1001, is in the groups 1002 and 5000.
var accounts = []struct{ name, text string }{
	{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:app:/tmp:/bin/sh\n"},
	{"etc/group", "root:x:0:\napp:x:1002:\nextra:x:5000:app\n"},
}

// ImageTar is the file system of Image, made of the host's static busybox.
func ImageTar() (*bytes.Buffer, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, d := range []string{"bin/", "etc/", "tmp/"} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: d, Typeflag: tar.TypeDir, Mode: 0o777}))
	}
	for _, f := range accounts {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}))
		if _, werr := io.WriteString(w, f.text); werr != nil {
			err = errors.Join(err, werr)
		}
	}
	err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(binary))}))
	if _, werr := w.Write(binary); werr != nil {
		err = errors.Join(err, werr)
	}
	for _, a := range applets {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "bin/" + a, Typeflag: tar.TypeSymlink, Linkname: "busybox"}))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("pack test image: %w", err)
	}
	return &buf, nil
}

// importImage makes Image in the host's store.
func (h *Host) importImage() error {
	tar, err := ImageTar()
	if err != nil {
		return err
	}
	q := url.Values{"reference": {Image}, "changes": {"CMD [\"/bin/sh\",\"-c\",\"echo default command\"]", "ENV FROM_IMAGE=yes"}}
	return h.call(http.MethodPost, "/images/import?"+q.Encode(), "application/x-tar", tar, nil)
}

// removeAll removes every pod and container.
func (h *Host) removeAll() error {
	var pods, containers []struct{ Id string } //nolint:revive // Podman's spelling
	err := h.call(http.MethodGet, "/pods/json", "", nil, &pods)
	for _, p := range pods {
		err = errors.Join(err, h.call(http.MethodDelete, "/pods/"+p.Id+"?force=true&timeout=0", "", nil, nil))
	}
	err = errors.Join(err, h.call(http.MethodGet, "/containers/json?all=true", "", nil, &containers))
	for _, c := range containers {
		err = errors.Join(err, h.call(http.MethodDelete, "/containers/"+c.Id+"?force=true&timeout=0&v=true", "", nil, nil))
	}
	return err
}

// call makes one request of the API, straight.
func (h *Host) call(method, path, contentType string, body io.Reader, into any) error {
	client := h.Client()
	defer client.CloseIdleConnections()
	req, err := http.NewRequest(method, "http://d/v4.0.0/libpod"+path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}
