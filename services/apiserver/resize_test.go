package apiserver_test

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

func TestResizeSubresource(t *testing.T) {
	_, c := one(t)
	p := pod("p")
	list := func(cpu, memory string) v1.ResourceList {
		return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
	}
	name := p.Spec.Containers[0].Name
	p.Spec.Containers[0].Resources = v1.ResourceRequirements{Requests: list("100m", "64Mi"), Limits: list("200m", "64Mi")}
	p.Spec.InitContainers = []v1.Container{{Name: "init", Image: "i", Resources: v1.ResourceRequirements{Limits: list("1m", "1Mi")}}}
	must(c.Create(ctx(t), schemas.Pods, p))(t)
	patch := func(resources string) (*v1.Pod, error) {
		body := `{"metadata":{"labels":{"not":"taken"}},"spec":{"containers":[{"name":"` + name + `","image":"other","resources":` + resources + `}]}}`
		out, err := c.Patch(ctx(t), podRef("p"), types.StrategicMergePatchType, []byte(body), "resize")
		if err != nil {
			return nil, err
		}
		return as[*v1.Pod](t, out), nil
	}
	got, err := patch(`{"requests":{"cpu":"150m"},"limits":{"cpu":"300m","memory":"128Mi"}}`)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Spec.Containers[0].Resources
	if r.Requests.Cpu().String() != "150m" || r.Requests.Memory().String() != "64Mi" || r.Limits.Memory().String() != "128Mi" ||
		got.Generation != 2 || got.Labels["not"] != "" || got.Spec.Containers[0].Image == "other" {
		t.Errorf("%+v", got)
	}
	for _, tc := range []struct{ resources, want string }{
		{`{"requests":{"cpu":"500m"}}`, "must be less than or equal to cpu limit of 300m"},
		{`{"limits":{"cpu":null}}`, "resource limits cannot be removed"},
		{`{"limits":{"ephemeral-storage":"1Gi"}}`, "only cpu and memory resources are mutable"},
		{`{"requests":{"cpu":"300m","memory":"128Mi"}}`, "Pod QOS Class may not change as a result of resizing"},
	} {
		if _, err := patch(tc.resources); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.resources, err)
		}
	}
	for _, tc := range []struct {
		edit func(*v1.Pod)
		want string
	}{
		{func(p *v1.Pod) { p.Spec.Containers[0].Name = "renamed" }, "containers may not be renamed or reordered on resize"},
		{func(p *v1.Pod) { p.Spec.Containers = append(p.Spec.Containers, v1.Container{Name: "more", Image: "i"}) }, "may not be added or removed"},
		{func(p *v1.Pod) {
			p.Spec.Containers[0].ResizePolicy = []v1.ContainerResizePolicy{{ResourceName: "cpu", RestartPolicy: v1.RestartContainer}}
		}, "only cpu and memory resources are mutable"},
		{func(p *v1.Pod) { p.Spec.InitContainers[0].Resources.Limits = list("2m", "2Mi") }, "resources for non-sidecar init containers are immutable"},
		{func(p *v1.Pod) {
			p.Spec.Resources = &v1.ResourceRequirements{Limits: v1.ResourceList{"hugepages-2Mi": resource.MustParse("2Mi")}}
		}, "only cpu and memory resources are mutable"},
	} {
		next := got.DeepCopy()
		tc.edit(next)
		if _, err := c.Update(ctx(t), schemas.Pods, next, "resize"); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.want, err)
		}
	}
	free := pod("free")
	free.Spec.Containers[0].Resources.Requests = list("100m", "64Mi")
	must(c.Create(ctx(t), schemas.Pods, free))(t)
	_, err = c.Patch(ctx(t), podRef("free"), types.StrategicMergePatchType, []byte(`{"spec":{"containers":[{"name":"`+name+`","resources":{"requests":{"memory":null}}}]}}`), "resize")
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "resource requests cannot be removed") {
		t.Errorf("a request that goes: %v", err)
	}
	next := got.DeepCopy()
	next.Spec.Containers[0].Resources.Limits[v1.ResourceCPU] = resource.MustParse("400m")
	if out, err := c.Update(ctx(t), schemas.Pods, next, "resize"); err != nil || as[*v1.Pod](t, out).Spec.Containers[0].Resources.Limits.Cpu().String() != "400m" {
		t.Errorf("update: %v", err)
	}
	if _, err := c.Update(ctx(t), schemas.Pods, next, "resize"); !apierrors.IsConflict(err) {
		t.Errorf("update of an old one: %v", err)
	}
	next = got.DeepCopy()
	next.ResourceVersion = ""
	if _, err := c.Update(ctx(t), schemas.Pods, next, ""); !apierrors.IsInvalid(err) {
		t.Errorf("a change of resources that is no resize: %v", err)
	}
}

// TestResizeOfTheWhole: what a pod has as a whole can be added and changed, but not taken away.
func TestResizeOfTheWhole(t *testing.T) {
	_, c := one(t)
	w := pod("w")
	w.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m"), v1.ResourceMemory: resource.MustParse("64Mi")}
	must(c.Create(ctx(t), schemas.Pods, w))(t)
	patch := func(body string) (*v1.Pod, error) {
		out, err := c.Patch(ctx(t), podRef("w"), types.StrategicMergePatchType, []byte(body), "resize")
		if err != nil {
			return nil, err
		}
		return as[*v1.Pod](t, out), nil
	}
	p, err := patch(`{"spec":{"resources":{"limits":{"cpu":"300m","memory":"128Mi"}}}}`)
	if err != nil || p.Spec.Resources.Limits.Memory().String() != "128Mi" || p.Spec.Resources.Requests.Memory().String() == "" {
		t.Fatalf("added: %+v, %v", p, err)
	}
	if p, err = patch(`{"spec":{"resources":{"limits":{"memory":"256Mi"}}}}`); err != nil || p.Spec.Resources.Limits.Memory().String() != "256Mi" {
		t.Errorf("changed: %+v, %v", p, err)
	}
	for body, want := range map[string]string{
		`{"spec":{"resources":{"limits":{"memory":null}}}}`: "resource limits cannot be removed",
		`{"spec":{"resources":null}}`:                       "pod-level resources cannot be removed",
	} {
		if _, err := patch(body); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
