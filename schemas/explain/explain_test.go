package explain_test

import (
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas/explain"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestField(t *testing.T) {
	tests := []struct{ path, head, child string }{
		{"pod.spec.containers.image", "KIND:       Pod\nVERSION:    v1\n\nFIELD: image <string>\n\nDESCRIPTION:\n    Container image name.", ""},
		{"deploy", "GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nDESCRIPTION:\n    Deployment enables declarative updates", "  spec\t<DeploymentSpec>\n"},
		{"deployments.spec", "FIELD: spec <DeploymentSpec>\n", "  selector\t<LabelSelector> -required-\n"},
		{"pods.spec", "FIELD: spec <PodSpec>\n", "  containers\t<[]Container> -required-\n"},
		{"po.spec.containers[0].resources", "FIELD: resources <ResourceRequirements>\n", "  limits\t<map[string]Quantity>\n"},
		{"pod.spec.containers.resources.limits", "FIELD: limits <map[string]Quantity>\n", ""},
		{"deploy.spec.strategy.rollingUpdate", "FIELD: rollingUpdate <RollingUpdateDeployment>\n", "  maxSurge\t<IntOrString>\n"},
		{"pod.metadata", "FIELD: metadata <ObjectMeta>\n", "  creationTimestamp\t<string>\n"},
		{"secret", "KIND:       Secret\n", "  data\t<map[string]string>\n"},
		{"pod.spec.volumes", "FIELD: volumes <[]Volume>\n", "  emptyDir\t<EmptyDirVolumeSource>\n"},
		{"cm", "KIND:       ConfigMap\n", "  immutable\t<boolean>\n"},
		{"lease.spec", "GROUP:      coordination.k8s.io\n", "  leaseDurationSeconds\t<integer>\n"},
	}
	for _, tt := range tests {
		e, err := explain.Field(kinds.Table(), tt.path)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		got := e.Render(false)
		if !strings.Contains(got, tt.head) || !strings.Contains(got, tt.child) {
			t.Errorf("%s: want %q and %q in\n%s", tt.path, tt.head, tt.child, got)
		}
		for line := range strings.Lines(got) {
			if len(line) > 81 && strings.Contains(strings.TrimSpace(line), " ") && !strings.HasPrefix(line, "     ") {
				t.Errorf("%s: line of %d characters: %s", tt.path, len(line), line)
			}
		}
	}
}

func TestRecursive(t *testing.T) {
	e, err := explain.Field(kinds.Table(), "deploy")
	if err != nil {
		t.Fatal(err)
	}
	got := e.Render(true)
	if !strings.Contains(got, "\n      spec\t<PodSpec>\n") || !strings.Contains(got, "\n          image\t<string>\n") {
		t.Errorf("got\n%.3000s", got)
	}
}

// Everything that the kinds have can be explained, and nearly all has a text.
func TestEverythingIsExplained(t *testing.T) {
	for _, k := range kinds.Table().All() {
		e, err := explain.Field(kinds.Table(), k.Singular)
		if err != nil {
			t.Errorf("%s: %v", k.Kind, err)
			continue
		}
		if e.Description == "" || len(e.Fields) < 3 {
			t.Errorf("%s is not explained: %+v", k.Kind, e)
		}
		for _, f := range e.Fields {
			if f.Description == "" {
				t.Errorf("%s.%s has no description", k.Kind, f.Name)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for path, want := range map[string]string{
		"pdo":                 `explain pdo: there is no kind "pdo", did you mean "pod"?`,
		"pod.spec.containrs":  `explain pod.spec.containrs: pod.spec has no field "containrs", did you mean "containers"?`,
		"pod.spec.nodeName.x": `explain pod.spec.nodeName.x: pod.spec.nodeName has no field "x"`,
		"":                    `explain : there is no kind ""`,
	} {
		if _, err := explain.Field(kinds.Table(), path); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
