package pod

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// registry serves one image, to who knows the password.
type registry struct {
	manifest []byte
	blobs    map[string][]byte
}

func digest(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func newRegistry(t *testing.T) *registry {
	t.Helper()
	tar, err := podmantest.ImageTar()
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	z := gzip.NewWriter(&layer)
	if _, err := z.Write(tar.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	config := encode(t, map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(tar.Bytes())}},
	})
	r := &registry{blobs: map[string][]byte{digest(config): config, digest(layer.Bytes()): layer.Bytes()}}
	part := func(kind string, b []byte) map[string]any {
		return map[string]any{"mediaType": "application/vnd.oci.image." + kind, "digest": digest(b), "size": len(b)}
	}
	r.manifest = encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": part("config.v1+json", config), "layers": []any{part("layer.v1.tar+gzip", layer.Bytes())},
	})
	return r
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if user, password, _ := q.BasicAuth(); user != "reader" || password != "secret" {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
		return
	}
	name := q.URL.Path[strings.LastIndex(q.URL.Path, "/")+1:]
	switch {
	case q.URL.Path == "/v2/":
	case strings.Contains(q.URL.Path, "/manifests/"):
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digest(r.manifest))
		_, _ = w.Write(r.manifest) // who went away gets nothing
	case r.blobs[name] != nil:
		_, _ = w.Write(r.blobs[name])
	default:
		http.NotFound(w, q)
	}
}

// serve serves r where the lab's hosts look for it.
func (r *registry) serve(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", rig.Registry())
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("registry: %v", err)
		}
	})
}

// TestImagePullSecrets: a private image is had with the pod's secret, or its service
// account's, and not without.
func TestImagePullSecrets(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	newRegistry(t).serve(t)
	auth := fmt.Sprintf(`{"auths":{%q:{"username":"reader","password":"secret"}}}`, rig.Registry())
	secret := func(name, content string) {
		apply(t, ns, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\ntype: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '%s'}\n", name, content))
	}
	secret("right", auth)
	secret("wrong", strings.Replace(auth, `"secret"`, `"guess"`, 1))
	pod := func(name, image, spec string) {
		m := script(name, "echo here; "+sleep, spec, "")
		m = strings.Replace(m, podmantest.Image, rig.Registry()+"/"+image, 1)
		apply(t, ns, strings.Replace(m, "imagePullPolicy: Never", "imagePullPolicy: Always", 1))
	}
	refusedPull := func(name string) {
		await(t, ns, name, "refused", func(p *v1.Pod) bool {
			if len(p.Status.ContainerStatuses) == 0 || p.Status.ContainerStatuses[0].State.Waiting == nil {
				return false
			}
			reason := p.Status.ContainerStatuses[0].State.Waiting.Reason
			return reason == "ErrImagePull" || reason == "ImagePullBackOff"
		})
	}
	pod("none", "private/none:1", "")
	pod("wrong", "private/wrong:1", "  imagePullSecrets: [{name: wrong}]")
	refusedPull("none")
	refusedPull("wrong")
	pod("right", "private/right:1", "  imagePullSecrets: [{name: wrong}, {name: right}]")
	running(t, ns, "right")
	if out := logs(t, ns, "right"); out != "here\n" {
		t.Errorf("it said %q", out)
	}
	apply(t, ns, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: puller}\nimagePullSecrets: [{name: right}]\n")
	pod("account", "private/account:1", "  serviceAccountName: puller")
	running(t, ns, "account")
}
