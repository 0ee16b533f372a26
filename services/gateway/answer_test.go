package gateway

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/squeeze"
)

// TestCompressed: a large answer in any form is the same for a client that takes it
// compressed; a small one, and the answer to HEAD, never is compressed.
func TestCompressed(t *testing.T) {
	item := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m%d","namespace":"a","creationTimestamp":"2026-01-02T03:04:05Z"}}`
	list := func(n int) []byte {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(item, i)
		}
		return []byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[` + strings.Join(items, ",") + `]}`)
	}
	n := 3000
	g := start(t, backend{do: func(r *api.Request) (*api.Reply, error) {
		if r.List.LabelSelector == "small" {
			return &api.Reply{Body: list(2)}, nil
		}
		if r.Gzip {
			return &api.Reply{Body: squeeze.Gzip(list(n)), Gzip: true}, nil
		}
		return &api.Reply{Body: list(n)}, nil
	}})
	c := g.admin(t)
	const table = "application/json;as=Table;v=v1;g=meta.k8s.io"
	for _, tc := range []struct {
		name, method, query, accept string
		compressed                  bool
	}{
		{"as it is", "GET", "", "application/json", true},
		{"again", "GET", "", "", true},
		{"pretty", "GET", "?pretty=true", "application/json", true},
		{"YAML", "GET", "?limit=500", "application/yaml", true},
		{"metadata", "GET", "", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", true},
		{"table", "GET", "", table, true},
		{"small", "GET", "?labelSelector=small", "application/json", false},
		{"small table", "GET", "?labelSelector=small", table, false},
		{"head", "HEAD", "", "application/json", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := func(encoding string) (string, string) {
				code, got, h := g.ask(t, c, tc.method, "/api/v1/namespaces/a/configmaps"+tc.query, "", "Accept", tc.accept, "Accept-Encoding", encoding)
				if code != 200 || h.Get("Vary") != "Accept-Encoding" || tc.method == "GET" && h.Get("Content-Length") != fmt.Sprint(len(got)) {
					t.Fatalf("%d %v", code, h)
				}
				return got, h.Get("Content-Encoding")
			}
			plain, encoding := ask("identity")
			if encoding != "" || tc.method == "GET" && !strings.Contains(plain, "m1") {
				t.Fatalf("encoding %q: %.200s", encoding, plain)
			}
			got, encoding := ask("gzip, deflate")
			if (encoding == "gzip") != tc.compressed {
				t.Fatalf("encoding %q", encoding)
			}
			if encoding == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(got))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(z)
				if err != nil {
					t.Fatal(err)
				}
				got = string(b)
			}
			if tc.accept != table && got != plain { // a table has ages in it
				t.Errorf("%d bytes, and %d without compression", len(got), len(plain))
			}
		})
	}
}
