package apiserver_test

import (
	"encoding/json"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func reader(rules ...rbacv1.PolicyRule) (*rbacv1.Role, *rbacv1.RoleBinding) {
	return &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "default"}, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "bob", Namespace: "default"},
			RoleRef:    rbacv1.RoleRef{Kind: "Role", Name: "reader"},
			Subjects:   []rbacv1.Subject{{Kind: "User", Name: "bob"}},
		}
}

// TestRolesLetIn: nobody but the owner may anything, until a role says so; on every
// replica, at once.
func TestRolesLetIn(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	admin, bob := cl.client(t, "admin"), cl.client(t, "bob")
	must(admin.Create(ctx(t), schemas.ConfigMaps, &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "default"}}))(t)
	ref := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "default", Name: "c"}
	if _, err := bob.Get(ctx(t), ref); !apierrors.IsForbidden(err) {
		t.Fatalf("before: %v", err)
	}
	role, binding := reader(rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}})
	must(admin.Create(ctx(t), schemas.Roles, role))(t)
	must(admin.Create(ctx(t), schemas.RoleBindings, binding))(t)
	for range 8 { // whichever replica answers
		must(bob.Get(ctx(t), ref))(t)
	}
	if err := bob.Delete(ctx(t), ref, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("delete: %v", err)
	}
	role.Name, role.Rules[0].Resources = "of-namespace", []string{"namespaces"}
	must(admin.Create(ctx(t), schemas.Roles, role))(t)
	binding.Name, binding.RoleRef.Name = "of-namespace", "of-namespace"
	must(admin.Create(ctx(t), schemas.RoleBindings, binding))(t)
	must(bob.Get(ctx(t), schemas.Ref{Resource: schemas.Namespaces, Name: "default"}))(t)
	if _, err := bob.Get(ctx(t), schemas.Ref{Resource: schemas.Namespaces, Name: "kube-system"}); !apierrors.IsForbidden(err) {
		t.Errorf("another namespace: %v", err)
	}
	role.Name = "more"
	if _, err := bob.Create(ctx(t), schemas.Roles, role); !apierrors.IsForbidden(err) {
		t.Errorf("make a role: %v", err)
	}
}

func TestReviewsAreAnsweredAndNotKept(t *testing.T) {
	cl, admin := one(t)
	bob := cl.client(t, "bob")
	role, binding := reader(rbacv1.PolicyRule{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"pods"}})
	must(admin.Create(ctx(t), schemas.Roles, role))(t)
	must(admin.Create(ctx(t), schemas.RoleBindings, binding))(t)
	ask := func(c *api.Client, verb string) bool {
		r := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: "default"},
		}}
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		reply := must(c.Do(ctx(t), &api.Request{Verb: api.VerbCreate, Resource: schemas.SelfSubjectAccessReviews, Body: body}))(t)
		if err := json.Unmarshal(reply.Body, r); err != nil {
			t.Fatal(err)
		}
		return r.Status.Allowed
	}
	// Everybody may ask once the default roles are there.
	eventually(t, func() error {
		_, err := bob.Do(ctx(t), &api.Request{Verb: api.VerbCreate, Resource: schemas.SelfSubjectReviews, Body: []byte("{}")})
		return err
	})
	// An answer is what a request would get: a role counts as soon as it is written.
	if !ask(bob, "list") || ask(bob, "delete") || !ask(admin, "delete") {
		t.Errorf("list %v, delete %v, admin's delete %v", ask(bob, "list"), ask(bob, "delete"), ask(admin, "delete"))
	}
	var me authenticationv1.SelfSubjectReview
	reply := must(bob.Do(ctx(t), &api.Request{Verb: api.VerbCreate, Resource: schemas.SelfSubjectReviews, Body: []byte("{}")}))(t)
	if err := json.Unmarshal(reply.Body, &me); err != nil || me.Status.UserInfo.Username != "bob" {
		t.Errorf("%s, %v", reply.Body, err)
	}
	if _, err := admin.Do(ctx(t), &api.Request{Verb: api.VerbList, Resource: schemas.SelfSubjectReviews}); !apierrors.IsMethodNotSupported(err) {
		t.Errorf("list reviews: %v", err)
	}
}

// TestProxiesAreNamedWhole: the right to a pod's proxy may be one to a port of it.
func TestProxiesAreNamedWhole(t *testing.T) {
	cl, admin := one(t)
	bob := cl.client(t, "bob")
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}, Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i"}}}}
	must(admin.Create(ctx(t), schemas.Pods, p))(t)
	role, binding := reader(rbacv1.PolicyRule{
		Verbs: []string{"get", "update"}, APIGroups: []string{""}, Resources: []string{"pods/proxy"}, ResourceNames: []string{"https:web:8443"},
	})
	must(admin.Create(ctx(t), schemas.Roles, role))(t)
	must(admin.Create(ctx(t), schemas.RoleBindings, binding))(t)
	ask := func(verb api.Verb, name schemas.Name) (*api.Reply, error) {
		return bob.Do(ctx(t), &api.Request{Verb: verb, Resource: schemas.Pods, Namespace: "default", Name: name, Subresource: "proxy"})
	}
	for _, verb := range []api.Verb{api.VerbGet, api.VerbUpdate} {
		reply := must(ask(verb, "https:web:8443"))(t)
		var got v1.Pod
		if err := json.Unmarshal(reply.Body, &got); err != nil || got.Name != "web" {
			t.Errorf("%s: %s, %v", verb, reply.Body, err)
		}
	}
	for _, name := range []schemas.Name{"web", "web:8443", "https:web:80", "https:web:8443:1"} {
		if _, err := ask(api.VerbGet, name); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ask(api.VerbDelete, "https:web:8443"); !apierrors.IsForbidden(err) {
		t.Errorf("delete: %v", err)
	}
	verbless := &api.Request{Verb: api.VerbGet, Verbless: true, Resource: schemas.Pods, Namespace: "default", Name: "https:web:8443", Subresource: "proxy"}
	if _, err := bob.Do(ctx(t), verbless); !apierrors.IsForbidden(err) {
		t.Errorf("a method without a verb: %v", err)
	}
	must(admin.Do(ctx(t), verbless))(t)
	if _, err := admin.Do(ctx(t), &api.Request{Verb: api.VerbGet, Resource: schemas.Pods, Namespace: "default", Name: "a:b:c:d", Subresource: "proxy"}); !apierrors.IsBadRequest(err) {
		t.Errorf("no name at all: %v", err)
	}
}
