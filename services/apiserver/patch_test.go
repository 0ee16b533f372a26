package apiserver_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func TestPatchTypes(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.Deployments, deployment("web", 1)))(t)
	for _, p := range []struct {
		pt    types.PatchType
		patch string
		check func(*appsv1.Deployment) bool
	}{
		{types.JSONPatchType, `[{"op":"replace","path":"/spec/replicas","value":2}]`, func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 2 }},
		{types.MergePatchType, `{"metadata":{"annotations":{"a":"b"}}}`, func(d *appsv1.Deployment) bool { return d.Annotations["a"] == "b" && d.Generation == 3 }},
		{types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"registry.example/hello:2"}]}}}}`,
			func(d *appsv1.Deployment) bool {
				return d.Spec.Template.Spec.Containers[0].Image == "registry.example/hello:2" && d.Generation == 4
			}},
	} {
		got := as[*appsv1.Deployment](t, must(c.Patch(ctx(t), deploymentRef("web"), p.pt, []byte(p.patch), ""))(t))
		if !p.check(got) {
			t.Errorf("%s: %+v", p.pt, got)
		}
	}
	before := must(c.Get(ctx(t), deploymentRef("web")))(t)
	if same := must(c.Patch(ctx(t), deploymentRef("web"), types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`), ""))(t); same.GetResourceVersion() != before.GetResourceVersion() {
		t.Error("a patch without change wrote something")
	}
	old := `{"metadata":{"resourceVersion":"1"},"spec":{"replicas":5}}`
	if _, err := c.Patch(ctx(t), deploymentRef("web"), types.MergePatchType, []byte(old), ""); !apierrors.IsConflict(err) {
		t.Errorf("old resourceVersion: %v", err)
	}
	_, err := c.Patch(ctx(t), deploymentRef("web"), types.MergePatchType, []byte(`{"spec":{"replicas":-1}}`), "")
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.replicas") {
		t.Errorf("invalid: %v", err)
	}
	if _, err := c.Patch(ctx(t), deploymentRef("none"), types.MergePatchType, []byte(`{}`), ""); !apierrors.IsNotFound(err) {
		t.Errorf("not there: %v", err)
	}
}

// apply sends a server-side apply.
func apply(t testing.TB, c *api.Client, ref schemas.Ref, manager string, force bool, config string) (*v1.ConfigMap, *api.Reply, error) {
	t.Helper()
	var got v1.ConfigMap
	reply, err := do(t, c, &api.Request{Verb: api.VerbPatch, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name,
		PatchType: types.ApplyPatchType, FieldManager: manager, Force: force, Body: []byte(config)}, &got)
	return &got, reply, err
}

func TestServerSideApply(t *testing.T) {
	_, c := one(t)
	const head = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":`
	got, reply, err := apply(t, c, cmRef("a"), "one", false, head+`{"x":"1","y":"1"}}`)
	if err != nil || !reply.Created || got.Data["x"] != "1" {
		t.Fatalf("create: %v %+v", err, got)
	}
	again, reply, err := apply(t, c, cmRef("a"), "one", false, head+`{"x":"1","y":"1"}}`)
	if err != nil || reply.Created || again.ResourceVersion != got.ResourceVersion {
		t.Errorf("again: %v, %s of %s", err, again.ResourceVersion, got.ResourceVersion)
	}
	_, _, err = apply(t, c, cmRef("a"), "two", false, head+`{"x":"2","z":"2"}}`)
	if !apierrors.IsConflict(err) || !apierrors.HasStatusCause(err, "FieldManagerConflict") || !strings.Contains(err.Error(), `conflict with "one": .data.x`) {
		t.Errorf("conflict: %v", err)
	}
	got, _, err = apply(t, c, cmRef("a"), "two", true, head+`{"x":"2","z":"2"}}`)
	if err != nil || got.Data["x"] != "2" || got.Data["y"] != "1" || got.Data["z"] != "2" || len(got.ManagedFields) != 2 {
		t.Errorf("forced: %v %+v", err, got)
	}
	got, _, err = apply(t, c, cmRef("a"), "one", false, head+`{}}`)
	if _, kept := got.Data["y"]; err != nil || kept || got.Data["x"] != "2" {
		t.Errorf("given up: %v %+v", err, got.Data)
	}
	if _, _, err = apply(t, c, cmRef("a"), "", false, head+`{}}`); !apierrors.IsInvalid(err) {
		t.Errorf("no manager: %v", err)
	}
	if _, _, err = apply(t, c, cmRef("a"), "one", false, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dta":{}}`); !apierrors.IsBadRequest(err) {
		t.Errorf("unknown field: %v", err)
	}
	yaml := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  w: \"1\"\n"
	if got, _, err = apply(t, c, cmRef("a"), "three", false, yaml); err != nil || got.Data["w"] != "1" {
		t.Errorf("yaml: %v %+v", err, got)
	}
}

func TestApplyOverUpdate(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "x", "1")))(t)
	const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"2"}}`
	if _, _, err := apply(t, c, cmRef("a"), "one", false, body); !apierrors.IsConflict(err) {
		t.Errorf("over what admin set: %v", err)
	}
	if got, _, err := apply(t, c, cmRef("a"), "one", true, body); err != nil || got.Data["x"] != "2" {
		t.Errorf("forced: %v %+v", err, got)
	}
}

func TestConcurrentPatchesAllCount(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	c := cl.client(t, "admin")
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a")))(t)
	const n = 40
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := c.Patch(ctx(t), cmRef("a"), types.MergePatchType, fmt.Appendf(nil, `{"data":{"k%d":"x"}}`, i), ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if m := as[*v1.ConfigMap](t, must(c.Get(ctx(t), cmRef("a")))(t)); len(m.Data) != n {
		t.Errorf("%d keys, want %d", len(m.Data), n)
	}
}

func TestScale(t *testing.T) {
	_, c := one(t)
	d := must(c.Create(ctx(t), schemas.Deployments, deployment("web", 1)))(t)
	req := func(v api.Verb, pt types.PatchType, body []byte) *api.Request {
		return &api.Request{Verb: v, Resource: schemas.Deployments, Namespace: "default", Name: "web", Subresource: "scale", PatchType: pt, Body: body}
	}
	var s autoscalingv1.Scale
	if _, err := do(t, c, req(api.VerbGet, "", nil), &s); err != nil || s.Spec.Replicas != 1 || s.Status.Selector != "app=web" || s.ResourceVersion != d.GetResourceVersion() {
		t.Fatalf("get: %v %+v", err, s)
	}
	s.Spec.Replicas = 4
	if _, err := do(t, c, req(api.VerbUpdate, "", encode(t, s)), &s); err != nil || s.Spec.Replicas != 4 {
		t.Errorf("update: %v %+v", err, s)
	}
	old := s
	old.ResourceVersion = d.GetResourceVersion()
	if _, err := do(t, c, req(api.VerbUpdate, "", encode(t, old)), nil); !apierrors.IsConflict(err) {
		t.Errorf("old resourceVersion: %v", err)
	}
	if _, err := do(t, c, req(api.VerbPatch, types.MergePatchType, []byte(`{"spec":{"replicas":2}}`)), &s); err != nil || s.Spec.Replicas != 2 {
		t.Errorf("patch: %v %+v", err, s)
	}
	if _, err := do(t, c, req(api.VerbPatch, types.MergePatchType, []byte(`{"spec":{"replicas":-2}}`)), nil); !apierrors.IsInvalid(err) {
		t.Errorf("negative: %v", err)
	}
	got := as[*appsv1.Deployment](t, must(c.Get(ctx(t), deploymentRef("web")))(t))
	if *got.Spec.Replicas != 2 || got.Generation != 3 {
		t.Errorf("deployment: %d at generation %d", *got.Spec.Replicas, got.Generation)
	}
}

// A patch whose result is no object is Invalid, in Kubernetes' words, and names the patch.
func TestUnfitPatches(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.Deployments, deployment("web", 1)))(t)
	for pt, p := range map[types.PatchType]struct{ body, want string }{
		types.StrategicMergePatchType: {`{"spec":{"replicas":"x"}}`, `: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32`},
		types.MergePatchType:          {`{"spec":{"replicas":"x"}}`, `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`},
		types.JSONPatchType:           {`[{"op":"replace","path":"/spec/replicas","value":"x"}]`, `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`},
	} {
		_, err := c.Patch(ctx(t), deploymentRef("web"), pt, []byte(p.body), "")
		if !apierrors.IsInvalid(err) || !strings.HasSuffix(err.Error(), p.want) {
			t.Errorf("%s: %v", pt, err)
		}
	}
	if _, err := c.Update(ctx(t), schemas.Deployments, &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}, ""); !apierrors.IsBadRequest(err) {
		t.Errorf("another kind: %v", err)
	}
}

// What a dry run answers is what a client would see.
func TestDryRunHasStatus(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.ServiceAccounts, &v1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "default"}}))(t)
	var got v1.Pod
	p := &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "x"}}}}
	_, err := do(t, c, &api.Request{Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: "default", DryRun: true, Body: encode(t, p)}, &got)
	if err != nil || got.Status.Phase != v1.PodPending || got.Status.QOSClass != v1.PodQOSBestEffort || got.Generation != 1 {
		t.Errorf("%v, generation %d, status %+v", err, got.Generation, got.Status)
	}
}
