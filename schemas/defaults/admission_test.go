package defaults_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/defaults"
)

func TestAddPodTolerations(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"none", `spec: {}`, `spec: {tolerations: [
      {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300},
      {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]}`},
		{"own", `spec: {tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]}`,
			`spec: {tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5},
      {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]}`},
		{"all", `spec: {tolerations: [{operator: Exists}]}`, `spec: {tolerations: [{operator: Exists}]}`},
		{"other effect", `spec: {tolerations: [{operator: Exists, effect: NoSchedule}]}`, `spec: {tolerations: [{operator: Exists, effect: NoSchedule},
      {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300},
      {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := &v1.Pod{}, &v1.Pod{}
			decode(t, c.before, got)
			decode(t, c.after, want)
			for range 2 {
				defaults.AddPodTolerations(got)
				if a, b := encode(t, got), encode(t, want); a != b {
					t.Errorf("have\n%s\nwant\n%s", a, b)
				}
			}
		})
	}
}
