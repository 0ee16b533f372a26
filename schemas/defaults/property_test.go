package defaults_test

import (
	"encoding/json"
	"maps"
	"math/rand"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func TestDefaultingTwiceIsDefaultingOnce(t *testing.T) {
	fill := randfill.NewWithSeed(1).NilChance(0.4).NumElements(1, 3).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63(), resource.DecimalSI)
		},
		func(v *intstr.IntOrString, c randfill.Continue) { *v = intstr.FromInt32(c.Int31()) },
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.Raw = []byte("{}") },
	)
	for _, c := range cases {
		for range 40 {
			obj := c.empty()
			fill.Fill(obj)
			c.fill(obj)
			once := encode(t, obj)
			c.fill(obj)
			if encode(t, obj) != once {
				t.Fatalf("%s: the second time changed\n%s", c.name, once)
			}
		}
	}
}

// Good objects lose fields at random: whatever is still valid then has to be valid
// with its defaults too.
func TestValidStaysValid(t *testing.T) {
	pod := &v1.Pod{}
	decode(t, podBefore, pod)
	pod.Namespace, pod.Spec.ServiceAccountName = "default", "sa"
	claim := &pod.Spec.Volumes[7].Ephemeral.VolumeClaimTemplate.Spec
	claim.AccessModes = []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce}
	claim.Resources.Requests = v1.ResourceList{v1.ResourceStorage: resource.MustParse("1Gi")}
	defaults.Pod(pod)
	deployment := &appsv1.Deployment{ObjectMeta: *pod.ObjectMeta.DeepCopy()}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	deployment.Spec.Template.Labels = map[string]string{"a": "b"}
	pod.Spec.DeepCopyInto(&deployment.Spec.Template.Spec)
	defaults.Deployment(deployment)

	random := rand.New(rand.NewSource(1))
	valid := 0
	for range 500 {
		p, d := &v1.Pod{}, &appsv1.Deployment{}
		pruned(t, pod, p, random)
		pruned(t, deployment, d, random)
		if len(validate.Pod(p)) == 0 {
			valid++
			defaults.Pod(p)
			if errs := validate.Pod(p); len(errs) > 0 {
				t.Fatalf("defaults made a pod invalid: %v", errs)
			}
		}
		if len(validate.Deployment(d)) == 0 {
			valid++
			defaults.Deployment(d)
			if errs := validate.Deployment(d); len(errs) > 0 {
				t.Fatalf("defaults made a deployment invalid: %v", errs)
			}
		}
	}
	if valid < 50 {
		t.Fatalf("only %d of the objects were valid: this shows little", valid)
	}
}

// pruned decodes from into to, without some of its fields.
func pruned(t *testing.T, from, to schemas.Object, random *rand.Rand) {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(encode(t, from)), &tree); err != nil {
		t.Fatal(err)
	}
	drop(tree, random)
	if err := json.Unmarshal([]byte(encode(t, tree)), to); err != nil {
		t.Fatal(err)
	}
}

func drop(node any, random *rand.Rand) {
	switch n := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) { // in order, so that a seed is one case
			if random.Intn(60) == 0 {
				delete(n, key)
			} else {
				drop(n[key], random)
			}
		}
	case []any:
		for _, child := range n {
			drop(child, random)
		}
	}
}
