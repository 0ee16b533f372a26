package apiserver_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func TestCreate(t *testing.T) {
	_, c := one(t)
	got := as[*v1.ConfigMap](t, must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "v")))(t))
	if got.UID == "" || got.ResourceVersion == "" || got.CreationTimestamp.IsZero() || got.Data["k"] != "v" {
		t.Errorf("created: %+v", got)
	}
	if len(got.ManagedFields) != 1 || got.ManagedFields[0].Manager != "admin" || got.ManagedFields[0].Operation != "Update" {
		t.Errorf("managedFields: %+v", got.ManagedFields)
	}
	read := as[*v1.ConfigMap](t, must(c.Get(ctx(t), cmRef("a")))(t))
	if read.ResourceVersion != got.ResourceVersion || read.UID != got.UID {
		t.Errorf("read %s %s, created %s %s", read.UID, read.ResourceVersion, got.UID, got.ResourceVersion)
	}
	if _, err := c.Create(ctx(t), schemas.ConfigMaps, configMap("a")); !apierrors.IsAlreadyExists(err) {
		t.Errorf("again: %v", err)
	}
	withRV := configMap("b")
	withRV.ResourceVersion = "1"
	if _, err := c.Create(ctx(t), schemas.ConfigMaps, withRV); !apierrors.IsBadRequest(err) {
		t.Errorf("with a resourceVersion: %v", err)
	}
	gen := configMap("")
	gen.GenerateName = "x-"
	one, two := must(c.Create(ctx(t), schemas.ConfigMaps, gen))(t), must(c.Create(ctx(t), schemas.ConfigMaps, gen))(t)
	if !strings.HasPrefix(one.GetName(), "x-") || one.GetName() == two.GetName() {
		t.Errorf("generated %s, %s", one.GetName(), two.GetName())
	}
	nowhere := configMap("a")
	nowhere.Namespace = "nowhere"
	_, err := c.Create(ctx(t), schemas.ConfigMaps, nowhere)
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), `namespaces "nowhere" not found`) {
		t.Errorf("no namespace: %v", err)
	}
	bad := configMap("Bad_Name")
	_, err = c.Create(ctx(t), schemas.ConfigMaps, bad)
	if !apierrors.IsInvalid(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeFieldValueInvalid) {
		t.Errorf("bad name: %v", err)
	}
}

func TestPodAdmission(t *testing.T) {
	_, c := one(t)
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "high"}, Value: 1000}
	must(c.Create(ctx(t), schemas.PriorityClasses, class))(t)
	p := pod("p")
	p.Spec.PriorityClassName = "high"
	p.Status.Phase = v1.PodFailed // a client cannot set it
	got := as[*v1.Pod](t, must(c.Create(ctx(t), schemas.Pods, p))(t))
	if got.Spec.Priority == nil || *got.Spec.Priority != 1000 || got.Spec.PreemptionPolicy == nil {
		t.Errorf("priority %v", got.Spec.Priority)
	}
	if got.Spec.ServiceAccountName != "default" || len(got.Spec.Tolerations) != 2 || got.Spec.RestartPolicy != v1.RestartPolicyAlways {
		t.Errorf("spec %+v", got.Spec)
	}
	if got.Status.Phase != v1.PodPending {
		t.Errorf("phase %s", got.Status.Phase)
	}
	p = pod("q")
	p.Spec.PriorityClassName = "none"
	if _, err := c.Create(ctx(t), schemas.Pods, p); !apierrors.IsForbidden(err) {
		t.Errorf("unknown class: %v", err)
	}
}

func TestFieldValidation(t *testing.T) {
	_, c := one(t)
	req := func(name, mode string) *api.Request {
		return &api.Request{Verb: api.VerbCreate, Resource: schemas.ConfigMaps, Namespace: "default", FieldValidation: mode,
			Body: []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"` + name + `"},"dta":{"a":"b"}}`)}
	}
	if _, err := do(t, c, req("a", "Strict"), nil); !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `unknown field "dta"`) {
		t.Errorf("strict: %v", err)
	}
	if reply, err := do(t, c, req("a", ""), nil); err != nil || len(reply.Warnings) != 1 {
		t.Errorf("warn: %v %v", reply, err)
	}
	if reply, err := do(t, c, req("b", "Ignore"), nil); err != nil || len(reply.Warnings) != 0 {
		t.Errorf("ignore: %v %v", reply, err)
	}
	for name, body := range map[string]string{
		"not JSON":   `{`,
		"other kind": `{"kind":"Secret","apiVersion":"v1"}`,
		"other name": `{"metadata":{"name":"x","namespace":"elsewhere"}}`,
		"deep":       strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
	} {
		r := req("c", "")
		r.Body = []byte(body)
		if _, err := do(t, c, r, nil); !apierrors.IsBadRequest(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := req("d", "")
	big.Body = []byte(`{"metadata":{"name":"d"},"data":{"k":"` + strings.Repeat("x", 2<<20) + `"}}`)
	if _, err := do(t, c, big, nil); !apierrors.IsRequestEntityTooLargeError(err) {
		t.Errorf("too large: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	_, c := one(t)
	first := as[*v1.ConfigMap](t, must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "1")))(t))
	next := first.DeepCopy()
	next.Data["k"] = "2"
	second := as[*v1.ConfigMap](t, must(c.Update(ctx(t), schemas.ConfigMaps, next, ""))(t))
	if second.ResourceVersion == first.ResourceVersion || second.UID != first.UID {
		t.Errorf("updated: %+v", second.ObjectMeta)
	}
	_, err := c.Update(ctx(t), schemas.ConfigMaps, next, "")
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "the object has been modified; please apply your changes to the latest version and try again") {
		t.Errorf("old resourceVersion: %v", err)
	}
	same := as[*v1.ConfigMap](t, must(c.Update(ctx(t), schemas.ConfigMaps, second, ""))(t))
	if same.ResourceVersion != second.ResourceVersion {
		t.Errorf("an update without change made %s of %s", same.ResourceVersion, second.ResourceVersion)
	}
	labelled := second.DeepCopy()
	labelled.Labels = map[string]string{"a": "b"}
	labelled.ResourceVersion = "" // unconditional
	third := as[*v1.ConfigMap](t, must(c.Update(ctx(t), schemas.ConfigMaps, labelled, ""))(t))
	if third.Labels["a"] != "b" {
		t.Errorf("labelled: %+v", third.ObjectMeta)
	}
	other := third.DeepCopy()
	other.UID = "other"
	if _, err := c.Update(ctx(t), schemas.ConfigMaps, other, ""); !apierrors.IsConflict(err) {
		t.Errorf("another uid: %v", err)
	}
	if _, err := c.Update(ctx(t), schemas.ConfigMaps, configMap("none"), ""); !apierrors.IsNotFound(err) {
		t.Errorf("not there: %v", err)
	}
}

func TestStatusAndSpecAreApart(t *testing.T) {
	cl, c := one(t)
	cl.controller(t)
	d := as[*appsv1.Deployment](t, must(c.Create(ctx(t), schemas.Deployments, deployment("web", 2)))(t))
	both := d.DeepCopy()
	both.Status.Replicas = 7
	*both.Spec.Replicas = 3
	got := as[*appsv1.Deployment](t, must(c.Update(ctx(t), schemas.Deployments, both, ""))(t))
	if got.Status.Replicas != 0 || *got.Spec.Replicas != 3 {
		t.Errorf("main: %d replicas, status %d, generation %d", *got.Spec.Replicas, got.Status.Replicas, got.Generation)
	}
	both = got.DeepCopy()
	both.Status.Replicas = 7
	*both.Spec.Replicas = 9
	got = as[*appsv1.Deployment](t, must(c.Update(ctx(t), schemas.Deployments, both, "status"))(t))
	if got.Status.Replicas != 7 || *got.Spec.Replicas != 3 || got.Generation != 2 {
		t.Errorf("status: %d replicas, status %d, generation %d", *got.Spec.Replicas, got.Status.Replicas, got.Generation)
	}
	both.ResourceVersion = d.ResourceVersion
	if _, err := c.Update(ctx(t), schemas.Deployments, both, "status"); !apierrors.IsConflict(err) {
		t.Errorf("status with an old resourceVersion: %v", err)
	}
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{Kind: "Deployment", APIVersion: "apps/v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("x").Spec},
		},
	}
}

func deploymentRef(name string) schemas.Ref {
	return schemas.Ref{Resource: schemas.Deployments, Namespace: "default", Name: schemas.Name(name)}
}

func TestForbiddenAndUnknown(t *testing.T) {
	cl, c := one(t)
	_, err := cl.client(t, "bob").Get(ctx(t), cmRef("a"))
	want := `configmaps "a" is forbidden: User "bob" cannot get resource "configmaps" in API group "" in the namespace "default"`
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, err := do(t, c, &api.Request{Verb: api.VerbList, Resource: schemas.Resource{Plural: "widgets"}}, nil); !apierrors.IsNotFound(err) {
		t.Errorf("unknown resource: %v", err)
	}
	if _, err := do(t, c, &api.Request{Verb: api.VerbUpdate, Resource: schemas.ConfigMaps, Namespace: "default", Name: "a", Subresource: "scale"}, nil); !apierrors.IsNotFound(err) {
		t.Errorf("no scale: %v", err)
	}
}

func TestDryRun(t *testing.T) {
	_, c := one(t)
	create := &api.Request{Verb: api.VerbCreate, Resource: schemas.ConfigMaps, Namespace: "default", DryRun: true, Body: encode(t, configMap("a", "k", "1"))}
	var got v1.ConfigMap
	if _, err := do(t, c, create, &got); err != nil || got.UID == "" {
		t.Fatalf("create: %v, %+v", err, got)
	}
	if _, err := c.Get(ctx(t), cmRef("a")); !apierrors.IsNotFound(err) {
		t.Errorf("it was stored: %v", err)
	}
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "1")))(t)
	if _, err := do(t, c, create, nil); !apierrors.IsAlreadyExists(err) {
		t.Errorf("create again: %v", err)
	}
	patch := &api.Request{Verb: api.VerbPatch, Resource: schemas.ConfigMaps, Namespace: "default", Name: "a", DryRun: true,
		PatchType: "application/merge-patch+json", Body: []byte(`{"data":{"k":"2"}}`)}
	if _, err := do(t, c, patch, &got); err != nil || got.Data["k"] != "2" {
		t.Errorf("patch: %v, %+v", err, got)
	}
	del := &api.Request{Verb: api.VerbDelete, Resource: schemas.ConfigMaps, Namespace: "default", Name: "a", DryRun: true}
	if _, err := do(t, c, del, nil); err != nil {
		t.Errorf("delete: %v", err)
	}
	if m := as[*v1.ConfigMap](t, must(c.Get(ctx(t), cmRef("a")))(t)); m.Data["k"] != "1" {
		t.Errorf("it was changed: %+v", m)
	}
}
