package admit

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// cluster is a State of a few objects.
type cluster []schemas.Object

func (c cluster) Get(ref schemas.Ref) (schemas.Object, bool) {
	for _, o := range c {
		k := kinds.Table().ByResource(ref.Resource)
		if k != nil && o.GetObjectKind().GroupVersionKind() == k.GroupVersionKind() && o.GetName() == string(ref.Name) && o.GetNamespace() == string(ref.Namespace) {
			return o, true
		}
	}
	return nil, false
}

func (c cluster) List(r schemas.Resource, ns schemas.Namespace) (out []schemas.Object) {
	for _, o := range c {
		if o.GetObjectKind().GroupVersionKind() == kinds.Table().ByResource(r).GroupVersionKind() && o.GetNamespace() == string(ns) {
			out = append(out, o)
		}
	}
	return out
}

func labelled(labels ...string) *v1.Namespace {
	n := &v1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "ns", Labels: map[string]string{}}}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		n.Labels["pod-security.kubernetes.io/"+key] = value
	}
	return n
}

func securePod(name string, change func(*v1.PodSpec)) *v1.Pod {
	p := &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"},
		Spec: v1.PodSpec{SecurityContext: &v1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeRuntimeDefault}},
			Containers: []v1.Container{{Name: "c", Image: "i", SecurityContext: &v1.SecurityContext{
				AllowPrivilegeEscalation: new(false), Capabilities: &v1.Capabilities{Drop: []v1.Capability{"ALL"}}}}}}}
	change(&p.Spec)
	return p
}

func TestPodSecurityStandards(t *testing.T) {
	good := func(*v1.PodSpec) {}
	plain := func(s *v1.PodSpec) { s.SecurityContext, s.Containers[0].SecurityContext = nil, nil }
	bad := func(s *v1.PodSpec) { s.HostPID, s.Containers[0].SecurityContext.Privileged = true, new(true) }
	for name, c := range map[string]struct {
		labels  string
		spec    func(*v1.PodSpec)
		refused string
		warned  string
		audited string
	}{
		"no labels":         {"", bad, "", "", ""},
		"baseline":          {"enforce=baseline", bad, `violates PodSecurity "baseline:latest": host namespaces (hostPID=true), privileged (container "c" must not set securityContext.privileged=true)`, "", ""},
		"plain is baseline": {"enforce=baseline", plain, "", "", ""},
		"restricted":        {"enforce=restricted enforce-version=v1.30", plain, `violates PodSecurity "restricted:v1.30": allowPrivilegeEscalation != false`, "", ""},
		"good":              {"enforce=restricted", good, "", "", ""},
		"warn":              {"warn=restricted", plain, "", `would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities`, ""},
		"audit":             {"audit=baseline", bad, "", "", `would violate PodSecurity "baseline:latest": host namespaces`},
		"old version":       {"enforce=restricted enforce-version=v1.18", func(s *v1.PodSpec) { s.SecurityContext.SeccompProfile = nil }, "", "", ""},
		"newer version":     {"enforce=restricted enforce-version=v1.19", func(s *v1.PodSpec) { s.SecurityContext.SeccompProfile = nil }, `violates PodSecurity "restricted:v1.19": seccompProfile`, "", ""},
	} {
		ns := labelled(strings.Fields(c.labels)...)
		p := securePod("p", c.spec)
		err := Secure(cluster{ns}, kinds.Table().ByResource(schemas.Pods), p, nil)
		if c.refused == "" && err != nil || c.refused != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: got %v, want %q", name, err, c.refused)
		}
		if c.refused != "" {
			continue
		}
		a := Advise(cluster{ns}, p, nil)
		if got := strings.Join(a.Warnings, "\n"); (got == "") != (c.warned == "") || !strings.HasPrefix(got, c.warned) || !strings.HasPrefix(a.Audit, c.audited) || (a.Audit == "") != (c.audited == "") {
			t.Errorf("%s: got %+v, want %q, %q", name, a, c.warned, c.audited)
		}
	}
}

func TestPodSecurityOfWorkloadsWarnsOnly(t *testing.T) {
	s := cluster{labelled("enforce=restricted")}
	p := securePod("p", func(s *v1.PodSpec) { s.HostIPC = true })
	template := v1.PodTemplateSpec{Spec: p.Spec}
	meta := metav1.ObjectMeta{Name: "d", Namespace: "ns"}
	for _, o := range []schemas.Object{
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: template}},
		&appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Template: template}},
		&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Template: template}},
		&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: template}},
	} {
		if err := Secure(s, nil, o, nil); err != nil {
			t.Errorf("%T: %v", o, err)
		}
		if a := Advise(s, o, nil); len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "host namespaces (hostIPC=true)") {
			t.Errorf("%T: advice %v", o, a)
		}
		if a := Advise(s, o, o); len(a.Warnings) != 0 {
			t.Errorf("%T unchanged: advice %v", o, a)
		}
	}
}

func TestPodSecurityOfUpdates(t *testing.T) {
	s, k := cluster{labelled("enforce=baseline")}, kinds.Table().ByResource(schemas.Pods)
	old := securePod("p", func(s *v1.PodSpec) { s.HostPID = true }) // older than the label
	image := old.DeepCopy()
	image.Spec.Containers[0].Image = "other"
	if err := Secure(s, k, image, old); err != nil {
		t.Errorf("another image: %v", err)
	}
	added := old.DeepCopy()
	added.Spec.EphemeralContainers = []v1.EphemeralContainer{{EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "debug", SecurityContext: &v1.SecurityContext{Privileged: new(true)}}}}
	if err := Secure(s, k, added, old); !apierrors.IsForbidden(err) {
		t.Errorf("a privileged ephemeral container: %v", err)
	}
}

func TestPodSecurityOfNamespaces(t *testing.T) {
	k := kinds.Table().ByResource(schemas.Namespaces)
	if err := Secure(nil, k, labelled("enforce=some", "warn-version=1"), nil); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "must be one of privileged, baseline, restricted") {
		t.Errorf("bad labels: %v", err)
	}
	bad := labelled("enforce=some")
	if err := Secure(nil, k, bad, bad); err != nil {
		t.Errorf("labels that were there: %v", err)
	}
	s := cluster{bad, securePod("a", func(s *v1.PodSpec) { s.HostPID = true }), securePod("b", func(s *v1.PodSpec) { s.HostPID = true }), securePod("c", func(*v1.PodSpec) {})}
	if err := Secure(s, kinds.Table().ByResource(schemas.Pods), securePod("p", func(s *v1.PodSpec) { s.SecurityContext = nil }), nil); !apierrors.IsForbidden(err) {
		t.Errorf("a namespace with labels that nobody understands: %v", err)
	}
	got := strings.Join(Advise(s, labelled("enforce=baseline"), labelled()).Warnings, "\n")
	want := "existing pods in namespace \"ns\" violate the new PodSecurity enforce level \"baseline:latest\"\na (and 1 other pod): host namespaces"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if a := Advise(s, labelled(), labelled("enforce=baseline")); len(a.Warnings) > 0 {
		t.Errorf("less strict: %v", a)
	}
}

func TestRuntimeClassOfPods(t *testing.T) {
	cost := v1.ResourceList{v1.ResourceCPU: resource.MustParse("10m")}
	other := v1.ResourceList{v1.ResourceCPU: resource.MustParse("20m")}
	toleration := v1.Toleration{Key: "vm", Operator: v1.TolerationOpExists}
	class := func(name string, o *nodev1.Overhead, s *nodev1.Scheduling) schemas.Object {
		return &nodev1.RuntimeClass{TypeMeta: metav1.TypeMeta{APIVersion: "node.k8s.io/v1", Kind: "RuntimeClass"}, ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: "h", Overhead: o, Scheduling: s}
	}
	s := cluster{class("free", nil, nil), class("vm", &nodev1.Overhead{PodFixed: cost}, &nodev1.Scheduling{NodeSelector: map[string]string{"a": "b"}, Tolerations: []v1.Toleration{toleration}})}
	for name, c := range map[string]struct {
		spec v1.PodSpec
		bad  string
	}{
		"none":           {v1.PodSpec{}, ""},
		"free":           {v1.PodSpec{RuntimeClassName: new("free")}, ""},
		"unknown":        {v1.PodSpec{RuntimeClassName: new("x")}, `pod rejected: RuntimeClass "x" not found`},
		"vm":             {v1.PodSpec{RuntimeClassName: new("vm"), Tolerations: []v1.Toleration{toleration}}, ""},
		"same cost":      {v1.PodSpec{RuntimeClassName: new("vm"), Overhead: cost, NodeSelector: map[string]string{"a": "b"}}, ""},
		"other cost":     {v1.PodSpec{RuntimeClassName: new("vm"), Overhead: other}, "doesn't match RuntimeClass's defined Overhead"},
		"cost of none":   {v1.PodSpec{Overhead: cost}, "without corresponding RuntimeClass defined Overhead"},
		"cost of free":   {v1.PodSpec{RuntimeClassName: new("free"), Overhead: cost}, "without corresponding RuntimeClass defined Overhead"},
		"another's node": {v1.PodSpec{RuntimeClassName: new("vm"), NodeSelector: map[string]string{"a": "c"}}, "conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c"},
	} {
		p := &v1.Pod{Spec: *c.spec.DeepCopy()}
		err := runtimeClass(s, p)
		switch {
		case c.bad != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%s: got %v, want %q", name, err, c.bad)
		case c.bad == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.bad == "" && c.spec.RuntimeClassName != nil && *c.spec.RuntimeClassName == "vm":
			if p.Spec.Overhead.Cpu().String() != "10m" || p.Spec.NodeSelector["a"] != "b" || len(p.Spec.Tolerations) != 1 {
				t.Errorf("%s: spec %+v", name, p.Spec)
			}
		}
	}
}
