package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/decode/decodetest"
	"github.com/skerry/skerry/schemas/kinds"
)

// memoryLimit is the most that the command line may use for a bad manifest, in KiB.
const memoryLimit = 512 << 10

// TestBadManifests gives the command line hundreds of manifests with one thing
// wrong, and input made to break it. Each gets an error with its position and exit
// code 1, and nothing is stored.
func TestBadManifests(t *testing.T) {
	cases := badManifests(t)
	if len(cases) < 200 {
		t.Fatalf("only %d bad manifests", len(cases))
	}
	positioned := regexp.MustCompile(`(?m)^(error: |Error[^\n]*)?[^\n]*bad\.yaml:\d+:\d+: `)
	before := everything(t)
	file := filepath.Join(t.TempDir(), "bad.yaml")
	for _, c := range cases {
		if err := os.WriteFile(file, []byte(c.Source), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		cmd := exec.CommandContext(ctx, hosts.Binary, "apply", "-f", file)
		cmd.Env = append(os.Environ(), "SKERRY_CONFIG="+hosts.Config())
		out, err := cmd.CombinedOutput()
		cancel()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v, want exit code 1\n%.500s", c.Name, err, out)
			continue
		}
		if !positioned.Match(out) {
			t.Errorf("%s: no position in\n%.500s", c.Name, out)
		}
		if strings.Contains(string(out), "goroutine ") {
			t.Errorf("%s: a panic\n%.2000s", c.Name, out)
		}
		if u, ok := exit.SysUsage().(*syscall.Rusage); ok && u.Maxrss > memoryLimit {
			t.Errorf("%s: took %d MiB", c.Name, u.Maxrss>>10)
		}
	}
	if after := everything(t); after != before {
		t.Errorf("a bad manifest was stored:\nbefore\n%s\nafter\n%s", before, after)
	}
}

// badManifests breaks the example and a Pod field by field, truncates them, and adds
// the hostile input.
func badManifests(t *testing.T) []decodetest.Case {
	t.Helper()
	var cases []decodetest.Case
	hello, err := os.ReadFile("../examples/hello/hello.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := decode.Manifests(kinds.Table(), "hello.yaml", append(hello, richPod...))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		cases = append(cases, decodetest.Mutations(t, d)...)
	}
	for end := 40; end < len(hello); end += 97 {
		cut := string(hello[:end])
		if _, err := decode.Manifests(kinds.Table(), "bad.yaml", []byte(cut)); err != nil { // some cuts leave a whole document
			cases = append(cases, decodetest.Case{Name: fmt.Sprintf("hello.yaml cut at %d", end), Source: cut})
		}
	}
	return append(cases, decodetest.Hostile()...)
}

const richPod = `---
apiVersion: v1
kind: Pod
metadata:
  name: bad-pod
  labels: {app: bad}
spec:
  restartPolicy: OnFailure
  nodeSelector: {disk: ssd}
  tolerations:
  - {key: dedicated, operator: Equal, value: batch, effect: NoSchedule}
  containers:
  - name: main
    image: localhost/skerry-hello:v1
    command: [/hello]
    args: [serve]
    workingDir: /tmp
    imagePullPolicy: Never
    ports:
    - {name: http, containerPort: 8080, protocol: TCP}
    env:
    - {name: PLAIN, value: text}
    - name: FROM_FIELD
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: FROM_MAP
      valueFrom: {configMapKeyRef: {name: settings, key: colour, optional: true}}
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {cpu: 100m, memory: 64Mi}
`

// everything lists what is stored: every object with its resourceVersion, but those
// that change by themselves.
func everything(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var b strings.Builder
	for _, k := range kinds.Table().All() {
		if k.Store != schemas.StoreState || k.Resource == schemas.Nodes || k.Resource == schemas.Leases {
			continue
		}
		objs, _, err := client.List(ctx, k.Resource, "", metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objs {
			state := fmt.Sprint(o.GetGeneration())
			if k.Revisioned && k.StatusWriter == schemas.StatusNone {
				state = o.GetResourceVersion() // nobody but users writes them
			}
			fmt.Fprintln(&b, schemas.RefOf(k.Resource, o), o.GetUID(), state)
		}
	}
	return b.String()
}
