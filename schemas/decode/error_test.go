package decode_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/kinds"
)

func manifests(src string) ([]decode.Document, error) {
	return decode.Manifests(kinds.Table(), "web.yaml", []byte(src))
}

func TestErrorRendering(t *testing.T) {
	src := `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        ports: []

        imagee: nginx
`
	_, err := manifests(src)
	want := `web.yaml:12:9: spec.template.spec.containers[0].imagee: unknown field, did you mean "image"?
   12 |         imagee: nginx
      |         ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// head makes a manifest of a pod or deployment around the lines under test.
const (
	podHead  = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n"
	depHead  = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n"
	contHead = podHead + "  containers:\n  - name: a\n"
)

type messageTest struct{ name, src, want string }

func TestFieldErrors(t *testing.T) {
	checkMessages(t, []messageTest{
		{"misspelt", contHead + "    imagee: x\n", `7:5: spec.containers[0].imagee: unknown field, did you mean "image"?`},
		{"case", depHead + "  Replicas: 1\n", `5:3: spec.Replicas: unknown field, did you mean "replicas"?`},
		{"misplaced up", depHead + "  containers: []\n", `5:3: spec.containers: unknown field, it belongs under spec.template.spec`},
		{"misplaced down", contHead + "    replicas: 2\n", `7:5: spec.containers[0].replicas: unknown field`},
		{"misplaced deep", podHead + "  image: x\n", `5:3: spec.image: unknown field, it belongs under spec.containers[]`},
		{"misplaced top", depHead + "  kind: Pod\n", `5:3: spec.kind: unknown field, it belongs at the top level`},
		{"integer", depHead + "  replicas: three\n", `5:13: spec.replicas: expected integer, got string "three"`},
		{"quoted integer", depHead + "  replicas: \"3\"\n", `5:13: spec.replicas: expected integer, got string "3": leave out the quotes`},
		{"float", depHead + "  replicas: 1.5\n", `5:13: spec.replicas: expected integer, got number 1.5`},
		{"too large", depHead + "  replicas: 4294967296\n", `5:13: spec.replicas: 4294967296 does not fit into 32 bits`},
		{"bool", podHead + "  hostNetwork: 'true'\n", `5:16: spec.hostNetwork: expected boolean, got string "true": leave out the quotes`},
		{"yes", contHead + "    env:\n    - {name: A, value: yes}\n", `8:24: spec.containers[0].env[0].value: expected string, got boolean true: an unquoted yes is a boolean in YAML, write "yes"`},
		{"number", contHead + "    env:\n    - name: A\n      value: 8080\n", `9:14: spec.containers[0].env[0].value: expected string, got integer 8080: quote it, "8080"`},
		{"version", contHead + "    env:\n    - name: A\n      value: 1.10\n", `9:14: spec.containers[0].env[0].value: expected string, got number 1.10: quote it, "1.10"`},
		{"label", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels:\n    a.b/c: true\n", `6:12: metadata.labels[a.b/c]: expected string, got boolean true: quote it, "true"`},
		{"list", contHead + "    command: sh\n", `7:14: spec.containers[0].command: expected list, got string "sh": write ["sh"]`},
		{"list of objects", podHead + "  containers:\n    name: a\n", `6:5: spec.containers: expected list, got object: put "- " before it`},
		{"object", depHead + "  template:\n  - metadata: {}\n", `spec.template: expected object, got list: leave out the "-"`},
		{"quantity", contHead + "    resources: {limits: {memory: 64MB}}\n", `7:34: spec.containers[0].resources.limits[memory]: expected a quantity such as 500m, 2, 128Mi or 1Gi, got string "64MB", did you mean "64M"?`},
		{"int or string", depHead + "  strategy: {rollingUpdate: {maxSurge: 1.5}}\n", `5:40: spec.strategy.rollingUpdate.maxSurge: expected integer or string (such as 25%), got number 1.5`},
		{"time", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  creationTimestamp: yesterday\n", `5:22: metadata.creationTimestamp: expected a time such as 2006-01-02T15:04:05Z, got string "yesterday"`},
		{"base64", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  p: pass word\n", `5:6: data[p]: not base64 (illegal base64 data at input byte 4): plain text goes under stringData`},
		{"duplicate", depHead + "  replicas: 1\n  replicas: 2\n", `6:3: spec.replicas: duplicate key, already set in line 5`},
	})
}

func TestDocumentErrors(t *testing.T) {
	checkMessages(t, []messageTest{
		{"no kind", "apiVersion: v1\nmetadata: {}\n", `1:1: kind: missing: every object starts with apiVersion and kind`},
		{"no version", "kind: Deployment\nmetadata: {}\n", `1:1: apiVersion: missing: a Deployment has apiVersion apps/v1`},
		{"misspelt version", "apiversion: v1\nkind: Pod\n", `1:1: apiversion: unknown field, did you mean "apiVersion"?`},
		{"old version", "apiVersion: extensions/v1beta1\nkind: Deployment\n", `1:13: apiVersion: extensions/v1beta1 Deployment is not served; use apps/v1`},
		{"unknown kind", "apiVersion: apps/v1\nkind: Deploymnt\n", `2:7: kind: unknown kind "Deploymnt", did you mean "Deployment"?`},
		{"kind not served", "apiVersion: batch/v1\nkind: CronJob\n", `2:7: kind: kind "CronJob" of batch/v1 is not served`},
		{"not an object", "- a\n- b\n", `expected an object with apiVersion and kind, got list`},
		{"syntax", "apiVersion: v1\nkind: [Pod\n", `web.yaml:2:`},
		{"tab", "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n", `web.yaml:4:`},
		{"alias", "apiVersion: v1\nkind: *k\n", `2:7: alias *k: no anchor &k stands before it`},
		{"tag", "apiVersion: v1\nkind: !vault Pod\n", `2:7: tag !vault is not known`},
		{"lost text", "apiVersion: v1\nkind: Pod\nmetadata:\n  <<\n  name: a\n", `not valid YAML`},
		{"bad escape", "apiVersion: v1\nkind: Pod\nmetadata: {name: \"\\x4 \"}\n", `not valid YAML`},
		{"read differently", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n    - \t\nspec: {}\n", `4:9: metadata.name: ambiguous YAML`},
		{"not a list", "apiVersion: v1\nkind: List\nitems: {}\n", `3:1: items: expected list, got object`},
		{"nan", depHead + "  replicas: .nan\n", `5:13: .nan is not a number that JSON has`},
		{"utf-8", "apiVersion: v1\nkind: \xff\xfe\n", `2:7: byte 0xff is not UTF-8`},
		{"nul", "apiVersion: v1\nkind: P\x00d\n", `2:8: control character 0x00 is not allowed`},
		{"json", "{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\",\n \"spec\": {\"hostname\": 1}}", `3:23: spec.hostname: expected string, got integer 1: write "1"`},
		{"json cut", "{\"apiVersion\": \"v1\",\n \"kind\":", `2:9: not valid JSON: it ends too early`},
	})
}

func checkMessages(t *testing.T, tests []messageTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := manifests(tt.src)
			if err == nil {
				t.Fatal("no error")
			}
			var list decode.Errors
			if !errors.As(err, &list) {
				t.Fatalf("error is a %T", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestAllErrorsOfAllDocuments(t *testing.T) {
	src := depHead + "  replicas: x\n  paused: 1\n---\n" + "apiVersion: v1\nkind: Nod\n---\n" +
		"a: [\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: fine}\n---\n" + podHead + "  containrs: []\n"
	docs, err := manifests(src)
	var list decode.Errors
	if !errors.As(err, &list) || len(list) != 5 {
		t.Fatalf("want 5 errors, got\n%v", err)
	}
	if len(docs) != 1 || docs[0].Object.GetName() != "fine" {
		t.Errorf("the good document is missing: %v", docs)
	}
	for i := 1; i < len(list); i++ {
		if list[i].Line < list[i-1].Line {
			t.Errorf("errors are not in order:\n%v", err)
		}
	}
}

func TestExcerptIsSafeForTerminals(t *testing.T) {
	src := "apiVersion: v1\nkind: Pod\nmetadata: {}\n\u202ex: " + strings.Repeat("long ", 1000) + "\n"
	_, err := manifests(src)
	if err == nil || strings.Contains(err.Error(), "\u202e") {
		t.Errorf("a direction override reached the terminal: %v", err)
	}
	if err != nil && len(err.Error()) > 1000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestLocate(t *testing.T) {
	docs, err := manifests("# a pod\n" + podHead + "  restartPolicy: Sometimes\n  containers:\n  - image: x\n    name: Bad_Name\n")
	if err != nil {
		t.Fatal(err)
	}
	d := docs[0]
	for path, want := range map[string][2]int{
		"spec.restartPolicy":            {6, 18},
		"spec.containers[0].name":       {9, 11},
		"spec.containers[0].ports":      {8, 5},
		"spec.containers[7].name":       {7, 3},
		"metadata.labels[a.b/c]":        {4, 1},
		"spec.containers":               {7, 3},
		"":                              {2, 1},
		"spec.containers[x":             {7, 3},
		"nothing[0][1].at.all[deep][[[": {2, 1},
	} {
		if line, col := d.Position(path); line != want[0] || col != want[1] {
			t.Errorf("%s: got %d:%d, want %d:%d", path, line, col, want[0], want[1])
		}
	}
	errs := complete(d)
	if len(errs) == 0 || !strings.Contains(errs.Error(), "web.yaml:6:18: spec.restartPolicy: Unsupported value") {
		t.Errorf("got\n%v", errs)
	}
}
