package validate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/randfill"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/validate"
)

// kinds are all validators, by kind.
var kinds = []struct {
	name   string
	empty  func() schemas.Object
	create func(schemas.Object) field.ErrorList
	update func(obj, old schemas.Object) field.ErrorList
}{
	{"Namespace", func() schemas.Object { return &v1.Namespace{} }, validate.Namespace, validate.NamespaceUpdate},
	{"Node", func() schemas.Object { return &v1.Node{} }, validate.Node, validate.NodeUpdate},
	{"Pod", func() schemas.Object { return &v1.Pod{} }, validate.Pod, validate.PodUpdate},
	{"ReplicaSet", func() schemas.Object { return &appsv1.ReplicaSet{} }, validate.ReplicaSet, validate.ReplicaSetUpdate},
	{"Deployment", func() schemas.Object { return &appsv1.Deployment{} }, validate.Deployment, validate.DeploymentUpdate},
	{"ConfigMap", func() schemas.Object { return &v1.ConfigMap{} }, validate.ConfigMap, validate.ConfigMapUpdate},
	{"Secret", func() schemas.Object { return &v1.Secret{} }, validate.Secret, validate.SecretUpdate},
	{"Event", func() schemas.Object { return &v1.Event{} }, validate.Event, validate.EventUpdate},
	{"ServiceAccount", func() schemas.Object { return &v1.ServiceAccount{} }, validate.ServiceAccount, validate.ServiceAccountUpdate},
	{"Lease", func() schemas.Object { return &coordinationv1.Lease{} }, validate.Lease, validate.LeaseUpdate},
	{"CSIDriver", func() schemas.Object { return &storagev1.CSIDriver{} }, validate.CSIDriver, validate.CSIDriverUpdate},
	{"RuntimeClass", func() schemas.Object { return &nodev1.RuntimeClass{} }, validate.RuntimeClass, validate.RuntimeClassUpdate},
	{"PriorityClass", func() schemas.Object { return &schedulingv1.PriorityClass{} }, validate.PriorityClass, validate.PriorityClassUpdate},
}

// filler fills objects with what JSON can hold.
func filler(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0.3).NumElements(1, 3).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63()-c.Int63(), resource.DecimalSI)
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			*v = intstr.FromInt32(c.Int31())
			if c.Bool() {
				*v = intstr.FromString(c.String(8))
			}
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.Raw = []byte("{}") },
	)
}

// Filled objects are faulty through and through; validators have to survive each of
// them, alone, against another, and against itself, and say the same twice.
func TestValidatorsSurviveAnything(t *testing.T) {
	const rounds = 15
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			fill := filler(1)
			last := k.empty()
			for range rounds {
				obj := k.empty()
				fill.Fill(obj)
				first := k.create(obj)
				if again := k.create(obj); lines(first) != lines(again) {
					t.Fatalf("different faults the second time:\n%s\n%s", lines(first), lines(again))
				}
				k.update(obj, last)
				k.update(last, obj)
				k.update(obj, obj)
				last = obj
			}
		})
	}
}

func TestWrongTypes(t *testing.T) {
	for _, k := range kinds {
		other := schemas.Object(&v1.Endpoints{}) //nolint:staticcheck // any type that is no kind here
		for _, errs := range []field.ErrorList{k.create(other), k.update(other, k.empty()), k.update(k.empty(), other)} {
			if len(errs) != 1 || errs[0].Type != field.ErrorTypeInternal {
				t.Errorf("%s of another type: %v", k.name, errs)
			}
		}
	}
}

// A pruned pod is a good one that lacks some fields: what is missing has to be
// reported, or not to matter.
func TestPrunedPods(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	raw, err := json.Marshal(goodPod())
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		var tree map[string]any
		if err := json.Unmarshal(raw, &tree); err != nil {
			t.Fatal(err)
		}
		prune(tree, random)
		pruned, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		pod := &v1.Pod{}
		if err := json.Unmarshal(pruned, pod); err != nil {
			t.Fatal(err)
		}
		validate.Pod(pod)
		validate.PodUpdate(pod, goodPod())
		validate.PodUpdate(goodPod(), pod)
	}
}

// prune drops one field in ten.
func prune(node any, random *rand.Rand) {
	switch n := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) { // in order, so that a seed is one case
			if random.Intn(10) == 0 {
				delete(n, key)
			} else {
				prune(n[key], random)
			}
		}
	case []any:
		for _, child := range n {
			prune(child, random)
		}
	}
}

func FuzzValidators(f *testing.F) {
	for i := range kinds {
		f.Add(uint8(i), []byte(`{"metadata":{"name":"a","namespace":"b"},"spec":{}}`))
	}
	for i, obj := range []any{2: goodPod(), 4: goodDeployment()} {
		if obj == nil {
			continue
		}
		raw, err := json.Marshal(obj)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), raw)
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		k := kinds[int(which)%len(kinds)]
		obj := k.empty()
		if json.Unmarshal(raw, obj) != nil {
			return
		}
		k.create(obj)
		k.update(obj, obj)
		k.update(obj, k.empty())
		k.update(k.empty(), obj)
	})
}

// Long lists of faults cost as much as they are long: a manifest must not be able to
// keep a server busy.
func TestLongLists(t *testing.T) {
	const n = 3000
	p := goodPod()
	p.Labels = map[string]string{}
	for i := range n {
		p.Labels[fmt.Sprintf("%d a", i)] = ""
		p.Spec.Tolerations = append(p.Spec.Tolerations, v1.Toleration{Operator: "x", Key: "a"})
		p.Spec.Volumes = append(p.Spec.Volumes, v1.Volume{Name: "own"}, v1.Volume{Name: "own", VolumeSource: v1.VolumeSource{
			PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "web-own"}}})
		app(p).Env = append(app(p).Env, v1.EnvVar{})
		app(p).VolumeMounts = append(app(p).VolumeMounts, v1.VolumeMount{Name: "gone", MountPath: "/same"})
		app(p).VolumeDevices = append(app(p).VolumeDevices, v1.VolumeDevice{Name: "gone", DevicePath: "/same"})
	}
	if errs := validate.Pod(p); len(errs) < 10*n {
		t.Errorf("only %d faults", len(errs))
	}
}
