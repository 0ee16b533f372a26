package admit

import (
	"reflect"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

type objects map[schemas.Ref]schemas.Object

func (s objects) Get(ref schemas.Ref) (schemas.Object, bool)                      { o, ok := s[ref]; return o, ok }
func (s objects) List(schemas.Resource, schemas.Namespace) (out []schemas.Object) { return nil }

func TestServiceAccount(t *testing.T) {
	yes, no := true, false
	add := func(s objects, name string, automount *bool) {
		a := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, AutomountServiceAccountToken: automount,
			ImagePullSecrets: []v1.LocalObjectReference{{Name: name + "-pull"}}}
		s[schemas.RefOf(schemas.ServiceAccounts, a)] = a
	}
	s := objects{}
	add(s, "default", nil)
	add(s, "shy", &no)
	elsewhere := []v1.VolumeMount{{Name: "mine", MountPath: tokenPath}}
	for name, c := range map[string]struct {
		account string
		own     *bool
		mounts  []v1.VolumeMount
		want    bool
	}{
		"default":            {"", nil, nil, true},
		"pod forbids it":     {"", &no, nil, false},
		"account forbids it": {"shy", nil, nil, false},
		"pod overrides":      {"shy", &yes, nil, true},
		"something else":     {"", nil, elsewhere, false},
	} {
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: v1.PodSpec{
			ServiceAccountName: c.account, AutomountServiceAccountToken: c.own, Containers: []v1.Container{{Name: "c", VolumeMounts: c.mounts}}}}
		if err := account(s, p); err != nil {
			t.Fatal(err)
		}
		if got := len(p.Spec.Volumes) == 1; got != c.want {
			t.Errorf("%s: volumes %+v", name, p.Spec.Volumes)
		}
		want := c.account
		if want == "" {
			want = "default"
		}
		if p.Spec.ServiceAccountName != want || p.Spec.DeprecatedServiceAccount != want || p.Spec.ImagePullSecrets[0].Name != want+"-pull" {
			t.Errorf("%s: %+v", name, p.Spec)
		}
		if c.want {
			v, m := p.Spec.Volumes[0], p.Spec.Containers[0].VolumeMounts[0]
			if !strings.HasPrefix(v.Name, "kube-api-access-") || m.Name != v.Name || m.MountPath != tokenPath || !m.ReadOnly ||
				*v.Projected.Sources[0].ServiceAccountToken.ExpirationSeconds != 3607 {
				t.Errorf("%s: %+v %+v", name, v, m)
			}
			// Doing it again changes nothing.
			again := p.DeepCopy()
			if err := account(s, again); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("%s: again: %v %+v", name, err, again.Spec)
			}
		}
	}
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: v1.PodSpec{ServiceAccountName: "none"}}
	const want = `pods "p" is forbidden: error looking up service account ns/none: serviceaccount "none" not found`
	if err := account(s, p); !apierrors.IsForbidden(err) || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if MissingAccount(s, p) != nil {
		t.Error("an account that somebody named would be made")
	}
	p.Namespace, p.Spec.ServiceAccountName = "new", ""
	if a := MissingAccount(s, p); a == nil || a.Namespace != "new" || a.Name != "default" {
		t.Errorf("missing: %+v", a)
	}
}

// TestTokenVolumeOfOneOwner: pods of one owner have one spec.
func TestTokenVolumeOfOneOwner(t *testing.T) {
	named := func(owner types.UID) string {
		p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c"}}}}
		if owner != "" {
			yes := true
			p.OwnerReferences = []metav1.OwnerReference{{UID: owner, Controller: &yes}}
		}
		mountToken(p)
		return p.Spec.Volumes[0].Name
	}
	if a, b := named("one"), named("one"); a != b || len(a) != len(tokenVolume)+randomLength {
		t.Errorf("one owner: %s, %s", a, b)
	}
	if named("one") == named("two") {
		t.Error("two owners share a name")
	}
	if named("") == named("") {
		t.Error("pods without an owner share a name")
	}
}
