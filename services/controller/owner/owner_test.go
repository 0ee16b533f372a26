package owner

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

func TestSort(t *testing.T) {
	rs := &appsv1.ReplicaSet{}
	rs.Name, rs.UID = "web", "mine"
	pod := func(name, label string, uid types.UID, going bool) *corev1.Pod {
		p := &corev1.Pod{}
		p.Name, p.Labels = name, map[string]string{"app": label}
		if uid != "" {
			o := &appsv1.ReplicaSet{}
			o.Name, o.UID = "web", uid
			p.OwnerReferences = []metav1.OwnerReference{Kind{GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("ReplicaSet")}.Ref(o)}
		}
		if going {
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}
		return p
	}
	pods := []*corev1.Pod{
		pod("mine", "web", "mine", false),
		pod("mine-going", "web", "mine", true),
		pod("loose", "web", "", false),
		pod("loose-going", "web", "", true),
		pod("strayed", "db", "mine", false),
		pod("strayed-going", "db", "mine", true),
		pod("theirs", "web", "theirs", false),
		pod("other", "db", "", false),
	}
	names := func(list []*corev1.Pod) (s string) {
		for _, p := range list {
			s += p.Name + " "
		}
		return s
	}
	selector := labels.SelectorFromSet(labels.Set{"app": "web"})
	c := Sort(rs, selector, pods)
	if names(c.Mine) != "mine mine-going " || names(c.Adopt) != "loose " || names(c.Release) != "strayed " {
		t.Errorf("mine %q, adopt %q, release %q", names(c.Mine), names(c.Adopt), names(c.Release))
	}
	rs.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	if c := Sort(rs, selector, pods); len(c.Adopt)+len(c.Release) != 0 {
		t.Errorf("a controller that goes adopts %q and releases %q", names(c.Adopt), names(c.Release))
	}
	adopted := Adopted(pods[2], Kind{GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("ReplicaSet")}.Ref(rs))
	if !metav1.IsControlledBy(adopted, rs) || len(pods[2].OwnerReferences) != 0 {
		t.Errorf("adopted: %v, original: %v", adopted.OwnerReferences, pods[2].OwnerReferences)
	}
	if released := Released(adopted, rs.UID); len(released.OwnerReferences) != 0 {
		t.Errorf("released: %v", released.OwnerReferences)
	}
}
