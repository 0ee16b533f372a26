//go:build linux

package agent

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/fit"
)

// TestVerdict: who waits, who is refused, and for whom others leave.
func TestVerdict(t *testing.T) {
	asks := func(name, cpu string, priority int32) *v1.Pod {
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1.PodSpec{Priority: &priority, Containers: []v1.Container{{}}}}
		p.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu)}
		return p
	}
	selects := func(p *v1.Pod) *v1.Pod {
		p.Spec.NodeSelector = map[string]string{"zone": "b"}
		return p
	}
	const critical = 2_000_000_000
	others := []*v1.Pod{asks("a", "1", 0), asks("chief", "500m", critical)}
	n := &v1.Node{Status: v1.NodeStatus{Allocatable: v1.ResourceList{v1.ResourceCPU: resource.MustParse("2"), v1.ResourcePods: resource.MustParse("9")}}}
	for name, c := range map[string]struct {
		pod      *v1.Pod
		reason   string
		fleeting bool
		victim   string
	}{
		"fits":               {asks("p", "500m", 0), "", false, ""},
		"no room":            {asks("p", "1", 0), "OutOfcpu", true, ""},
		"no room, no match":  {selects(asks("p", "1", 0)), "OutOfcpu", false, ""},
		"no match":           {selects(asks("p", "1m", 0)), "NodeAffinity", false, ""},
		"critical":           {asks("p", "1", critical), "", false, "a"},
		"critical, fits":     {asks("p", "1m", critical), "", false, ""},
		"critical, too big":  {asks("p", "1600m", critical), "UnexpectedAdmissionError", true, ""},
		"critical, no match": {selects(asks("p", "1", critical)), "NodeAffinity", false, ""},
	} {
		v := verdict(c.pod, fit.Check(c.pod, n, fit.Beside(others...)), fit.Beside(others...))
		reason, victim := "", ""
		if v.Refuse != nil {
			reason = v.Refuse.Reason
		}
		if len(v.Victims) == 1 {
			victim = v.Victims[0].Name
		}
		if reason != c.reason || v.Fleeting != c.fleeting || victim != c.victim || len(v.Victims) > 1 || v.Unsure {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
