package amount

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

func list(cpu, memory string) v1.ResourceList {
	l := v1.ResourceList{}
	if cpu != "" {
		l[v1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		l[v1.ResourceMemory] = resource.MustParse(memory)
	}
	return l
}

func container(requests, limits v1.ResourceList) v1.Container {
	return v1.Container{Resources: v1.ResourceRequirements{Requests: requests, Limits: limits}}
}

func sidecar(requests, limits v1.ResourceList) v1.Container {
	c := container(requests, limits)
	c.RestartPolicy = ptr.To(v1.ContainerRestartPolicyAlways)
	return c
}

func TestSums(t *testing.T) {
	one, two := list("1", "1Gi"), list("2", "2Gi")
	for name, c := range map[string]struct {
		spec             v1.PodSpec
		requests, limits v1.ResourceList
	}{
		"nothing":              {v1.PodSpec{Containers: []v1.Container{{}}}, v1.ResourceList{}, v1.ResourceList{}},
		"containers":           {v1.PodSpec{Containers: []v1.Container{container(one, two), container(one, nil)}}, two, two},
		"a limit is a request": {v1.PodSpec{Containers: []v1.Container{container(list("1", ""), two)}}, list("1", "2Gi"), two},
		"the peak of the start": {v1.PodSpec{InitContainers: []v1.Container{sidecar(one, nil), container(two, nil)},
			Containers: []v1.Container{container(one, nil)}}, list("3", "3Gi"), v1.ResourceList{}},
		"the pod's own": {v1.PodSpec{Containers: []v1.Container{container(one, nil)},
			Resources: &v1.ResourceRequirements{Requests: list("4", ""), Limits: list("", "8Gi")}}, list("4", "8Gi"), list("", "8Gi")},
		"overhead": {v1.PodSpec{Containers: []v1.Container{container(one, list("", "1Gi"))}, Overhead: list("1", "1Gi")}, two, list("", "2Gi")},
	} {
		if got := Requests(&c.spec); !equal(got, c.requests) {
			t.Errorf("%s: requests %v, want %v", name, got, c.requests)
		}
		if got := Limits(&c.spec); !equal(got, c.limits) {
			t.Errorf("%s: limits %v, want %v", name, got, c.limits)
		}
	}
}

func equal(a, b v1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for n, q := range a {
		if o, ok := b[n]; !ok || q.Cmp(o) != 0 {
			return false
		}
	}
	return true
}

func TestQOS(t *testing.T) {
	one := list("1", "1Gi")
	whole := func(requests, limits v1.ResourceList, cs ...v1.Container) v1.PodSpec {
		return v1.PodSpec{Containers: cs, Resources: &v1.ResourceRequirements{Requests: requests, Limits: limits}}
	}
	for name, c := range map[string]struct {
		spec v1.PodSpec
		want v1.PodQOSClass
	}{
		"nothing":                      {v1.PodSpec{Containers: []v1.Container{{}}}, v1.PodQOSBestEffort},
		"other resources do not count": {v1.PodSpec{Containers: []v1.Container{container(v1.ResourceList{"ephemeral-storage": one["memory"]}, nil)}}, v1.PodQOSBestEffort},
		"zero":                         {v1.PodSpec{Containers: []v1.Container{container(list("0", ""), nil)}}, v1.PodQOSBestEffort},
		"a request only":               {v1.PodSpec{Containers: []v1.Container{container(list("1", ""), nil)}}, v1.PodQOSBurstable},
		"asks for less":                {v1.PodSpec{Containers: []v1.Container{container(list("500m", ""), one)}}, v1.PodQOSBurstable},
		"limits only":                  {v1.PodSpec{Containers: []v1.Container{container(nil, one)}}, v1.PodQOSGuaranteed},
		"no limit of memory":           {v1.PodSpec{Containers: []v1.Container{container(nil, list("1", ""))}}, v1.PodQOSBurstable},
		"one has nothing":              {v1.PodSpec{Containers: []v1.Container{container(one, one), {}}}, v1.PodQOSBurstable},
		"an init container too":        {v1.PodSpec{InitContainers: []v1.Container{{}}, Containers: []v1.Container{container(one, one)}}, v1.PodQOSBurstable},
		"the pod's own":                {whole(one, one, v1.Container{}), v1.PodQOSGuaranteed},
		"the pod's own differ":         {whole(list("1", ""), one, container(one, one)), v1.PodQOSGuaranteed},
		"the pod's own requests":       {whole(one, nil, container(one, one)), v1.PodQOSBurstable},
	} {
		if got := QOS(&c.spec); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestHugePage(t *testing.T) {
	if n, ok := HugePage("hugepages-2Mi"); n != 2<<20 || !ok {
		t.Errorf("2Mi is %d, %v", n, ok)
	}
	for _, bad := range []v1.ResourceName{"memory", "hugepages-", "hugepages-x", "hugepages-0"} {
		if _, ok := HugePage(bad); ok {
			t.Errorf("%s has a page size", bad)
		}
	}
}
