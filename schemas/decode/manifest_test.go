package decode_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/kinds"
)

func goodFiles(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = data
	}
	return files
}

func TestGoodManifests(t *testing.T) {
	want := map[string][]string{
		"web.yaml":     {"Namespace/shop", "ConfigMap/web", "Secret/web", "Deployment/web"},
		"pod.yaml":     {"Pod/tool"},
		"cluster.yaml": {"Node/n1", "ServiceAccount/tool", "PriorityClass/high", "Lease/leader", "ReplicaSet/cache", "Event/tool.1"},
		"anchors.yaml": {"ConfigMap/one", "ConfigMap/two"},
		"list.json":    {"ConfigMap/one", "ConfigMap/two", "ServiceAccount/tool"},
	}
	for name, data := range goodFiles(t) {
		docs, err := decode.Manifests(kinds.Table(), name, data)
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		var got []string
		for _, d := range docs {
			got = append(got, d.Kind.Kind+"/"+d.Object.GetName())
			if errs := complete(d); len(errs) > 0 {
				t.Errorf("%s is not valid:\n%v", name, errs)
			}
			if gvk := d.Object.GetObjectKind().GroupVersionKind(); gvk != d.Kind.GroupVersionKind() {
				t.Errorf("%s: %s has type meta %s", name, d.Kind.Kind, gvk)
			}
		}
		if !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: got %v, want %v", name, got, want[name])
		}
	}
}

// complete fills in the defaults of a copy of d's object and validates it.
func complete(d decode.Document) decode.Errors {
	obj, _ := d.Object.DeepCopyObject().(schemas.Object)
	if d.Kind.Default != nil {
		d.Kind.Default(obj)
	}
	return decode.Locate(d, d.Kind.Validate(obj))
}

// What the user wrote must come out as kubectl's YAML reader has it.
func TestRawAgreesWithKubernetesYAML(t *testing.T) {
	for name, data := range goodFiles(t) {
		if !strings.HasSuffix(name, ".yaml") || name == "anchors.yaml" {
			continue
		}
		docs, err := decode.Manifests(kinds.Table(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(data), "\n---\n") {
			want, err := yaml.YAMLToJSON([]byte(part))
			if err != nil {
				t.Fatal(err)
			}
			if !sameJSON(t, want, docs[i].Raw) {
				t.Errorf("%s, document %d:\n got %s\nwant %s", name, i, docs[i].Raw, want)
			}
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var va, vb any
	if err := json.Unmarshal(a, &va); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vb); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(va, vb)
}

func TestAnchorsAndMerge(t *testing.T) {
	docs, err := decode.Manifests(kinds.Table(), "anchors.yaml", goodFiles(t)["anchors.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"v1","data":{"mode":"on"},"kind":"ConfigMap","metadata":` +
		`{"labels":{"app":"shared","tier":"front"},"name":"two","namespace":"default"}}`
	if got := string(docs[1].Raw); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Every scalar of YAML 1.1 must mean what it means to kubectl.
func TestScalarsAgreeWithKubernetesYAML(t *testing.T) {
	scalars := []string{
		"yes", "No", "on", "OFF", "y", "N", "true", "False", "TRUE", "~", "null", "Null", "", "nUll", "yEs",
		"1", "-1", "+1", "0", "0644", "0o644", "0x1F", "0b101", "-0b11", "08", "1_000", "1e3", "1.5", ".5", "5.", "1e", "-", "+", ".",
		"9223372036854775807", "9223372036854775808", "18446744073709551615", "99999999999999999999", "1.2.3", "1:30", "60s",
		"2026-01-02", "2026-01-02T03:04:05Z", "2026-1-2", "20:30", "nginx", "a b", "1 2", "250m", "64Mi", "0.5", "1.0", "10.0.0.1", "1e400",
		`"yes"`, `'1'`, `"\u00e9\n\t"`, `'it''s'`, "é", "a#b", "a: b", "http://x:80/y", "<<x", "=", "-a", "--a", "?a", ":a", "@", "%a", "12345678901234567890123",
	}
	for _, s := range scalars {
		compareWithKubernetes(t, "apiVersion: v1\nkind: Lease\nspec: "+s+"\n")
	}
}

func TestMergesAgreeWithKubernetesYAML(t *testing.T) {
	for _, s := range []string{
		"x: &x {a: 1}\nz: {a: 2, <<: *x}\n", "x: &x {a: 1}\nz: {<<: *x, a: 2}\n",
		"x: &x {a: 1}\nz: &z {a: 3, b: 4}\nw: {<<: [*x, *z]}\n", "z: {<<: {a: 1}, <<: {a: 2}}\n",
		"x: &x {a: 1}\nz: &z {<<: *x, b: 2}\nw:\n  <<: *z\n  c: [*x, *z]\n", "a: &a 1\nb: *a\n*a : c\n",
	} {
		compareWithKubernetes(t, s)
	}
}

func compareWithKubernetes(t *testing.T, src string) {
	t.Helper()
	want, wantErr := yaml.YAMLToJSON([]byte(src))
	got, gotErr := decode.TreeJSON(src)
	switch {
	case (wantErr == nil) != (gotErr == nil):
		t.Errorf("%s: got error %v, want %v", src, gotErr, wantErr)
	case wantErr == nil && string(want) != string(got):
		t.Errorf("%s: got %s, want %s", src, got, want)
	}
}

// The same manifest in other encodings, line ends and document markers.
func TestEncodings(t *testing.T) {
	const src = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: é\n"
	utf16le := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(src)) {
		utf16le = append(utf16le, byte(unit), byte(unit>>8))
	}
	for name, data := range map[string][]byte{
		"utf-8": []byte(src), "byte order mark": []byte("\uFEFF" + src), "utf-16": utf16le,
		"crlf": []byte(strings.ReplaceAll(src, "\n", "\r\n")), "cr": []byte(strings.ReplaceAll(src, "\n", "\r")),
		"markers": []byte("%YAML 1.1\n--- # first\n" + src + "...\n# nothing\n---\n---\n\n"), "no newline": []byte(strings.TrimSpace(src)),
		"json": []byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "\u00e9"}}`),
		"flow": []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: é}} # flow"), "after marker": []byte("--- {apiVersion: v1, kind: ConfigMap, metadata: {name: é}}\n"),
	} {
		docs, err := decode.Manifests(kinds.Table(), name, data)
		if err != nil || len(docs) != 1 || docs[0].Object.GetName() != "é" {
			t.Errorf("%s: got %v, %v", name, docs, err)
		}
	}
	for name, data := range map[string]string{"empty": "", "comment": "# nothing\n", "markers": "---\n---\n...\n", "null": "~\n", "spaces": " \n\t\n"} {
		if docs, err := decode.Manifests(kinds.Table(), name, []byte(data)); err != nil || len(docs) != 0 {
			t.Errorf("%s: got %v, %v", name, docs, err)
		}
	}
}
