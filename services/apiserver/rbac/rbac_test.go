package rbac

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/access/accesstest"
)

func namespaced(ns, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name}
}

func to(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func user(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.UserKind, Name: name} }

// cluster has bob as a reader of pods and one secret in ns, account ns/robot as the
// holder of a cluster role in ns only, and eve as somebody whose role is not there.
func cluster() accesstest.State {
	s := accesstest.State{}
	s.Put(schemas.Roles, &rbacv1.Role{ObjectMeta: namespaced("ns", "reader"), Rules: []rbacv1.PolicyRule{
		rule(readVerbs, "", "pods", "pods/log"),
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"s1"}},
	}})
	s.Put(schemas.ClusterRoles,
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "scaler"}, Rules: []rbacv1.PolicyRule{rule([]string{"*"}, "apps", "*/scale")}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "root"}, Rules: everything()},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "prober"}, Rules: []rbacv1.PolicyRule{paths("/healthz", "/apis/*")}})
	s.Put(schemas.RoleBindings,
		&rbacv1.RoleBinding{ObjectMeta: namespaced("ns", "bob"), RoleRef: to("Role", "reader"), Subjects: []rbacv1.Subject{user("bob")}},
		&rbacv1.RoleBinding{ObjectMeta: namespaced("ns", "robot"), RoleRef: to("ClusterRole", "scaler"), Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "robot"}}},
		&rbacv1.RoleBinding{ObjectMeta: namespaced("ns", "crew"), RoleRef: to("ClusterRole", "scaler"), Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Namespace: "far", Name: "pilot"}, {Kind: rbacv1.ServiceAccountKind, Name: "mate"}}},
		&rbacv1.RoleBinding{ObjectMeta: namespaced("ns", "eve"), RoleRef: to("Role", "gone"), Subjects: []rbacv1.Subject{user("eve")}})
	s.Put(schemas.ClusterRoleBindings,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "ops"}, RoleRef: to("ClusterRole", "root"), Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: "ops"}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "all"}, RoleRef: to("ClusterRole", "prober"), Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: GroupAuthenticated}}})
	return s
}

func TestAuthorize(t *testing.T) {
	pods := func(u bus.User, verb api.Verb, ns schemas.Namespace, sub string) access.Attributes {
		return access.Attributes{User: u, Verb: verb, Resource: schemas.Pods, Namespace: ns, Name: "p", Subresource: sub}
	}
	secret := func(verb api.Verb, name schemas.Name) access.Attributes {
		return access.Attributes{User: "bob", Verb: verb, Resource: schemas.Secrets, Namespace: "ns", Name: name}
	}
	scale := func(u bus.User, ns schemas.Namespace, sub string) access.Attributes {
		return access.Attributes{User: u, Verb: "patch", Resource: schemas.Deployments, Namespace: ns, Name: "d", Subresource: sub}
	}
	for name, c := range map[string]struct {
		a    access.Attributes
		want bool
	}{
		"own namespace":      {pods("bob", "get", "ns", ""), true},
		"subresource":        {pods("bob", "get", "ns", "log"), true},
		"other subresource":  {pods("bob", "get", "ns", "exec"), false},
		"other verb":         {pods("bob", "delete", "ns", ""), false},
		"other namespace":    {pods("bob", "get", "other", ""), false},
		"all namespaces":     {pods("bob", "list", "", ""), false},
		"other user":         {pods("alice", "get", "ns", ""), false},
		"named":              {secret("get", "s1"), true},
		"other name":         {secret("get", "s2"), false},
		"list by name":       {secret("list", ""), false},
		"account":            {scale("system:serviceaccount:ns:robot", "ns", "scale"), true},
		"account, no sub":    {scale("system:serviceaccount:ns:robot", "ns", ""), false},
		"account elsewhere":  {scale("system:serviceaccount:ns:robot", "other", "scale"), false},
		"other account":      {scale("system:serviceaccount:other:robot", "ns", "scale"), false},
		"account from afar":  {scale("system:serviceaccount:far:pilot", "ns", "scale"), true},
		"account after it":   {scale("system:serviceaccount:ns:mate", "ns", "scale"), true},
		"its name elsewhere": {scale("system:serviceaccount:far:mate", "ns", "scale"), false},
		"group":              {access.Attributes{User: "x", Groups: []string{"ops"}, Verb: "delete", Resource: schemas.Nodes}, true},
		"path":               {access.Attributes{User: "x", Groups: []string{GroupAuthenticated}, Verb: "get", Path: "/healthz"}, true},
		"path below":         {access.Attributes{User: "x", Groups: []string{GroupAuthenticated}, Verb: "get", Path: "/apis/apps/v1"}, true},
		"other path":         {access.Attributes{User: "x", Groups: []string{GroupAuthenticated}, Verb: "get", Path: "/metrics"}, false},
		"path's other verb":  {access.Attributes{User: "x", Groups: []string{GroupAuthenticated}, Verb: "post", Path: "/healthz"}, false},
		"role that is not":   {pods("eve", "get", "ns", ""), false},
		"nobody in no group": {access.Attributes{Verb: "get", Resource: schemas.Pods}, false},
	} {
		got, why := Authorizer{cluster()}.Authorize(c.a)
		if got != c.want {
			t.Errorf("%s: %v (%s), want %v", name, got, why, c.want)
		}
	}
	if _, why := (Authorizer{cluster()}).Authorize(pods("eve", "get", "ns", "")); why != `RBAC: role "gone" not found` {
		t.Errorf("a role that is not there is explained as %q", why)
	}
}

func guard(s accesstest.State) Guard {
	z := Authorizer{s}
	return Guard{Authorizer: z, May: access.Chain{access.Superusers{"admin": true}, z}}
}

func TestNobodyGrantsWhatTheyHaveNot(t *testing.T) {
	s := cluster()
	s.Put(schemas.ClusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "binder"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"bind"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"root"}},
		{Verbs: []string{"escalate"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}},
	}})
	s.Put(schemas.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: to("ClusterRole", "binder"), Subjects: []rbacv1.Subject{user("binder")}})
	role := func(rules ...rbacv1.PolicyRule) *rbacv1.Role {
		return &rbacv1.Role{ObjectMeta: namespaced("ns", "new"), Rules: rules}
	}
	bind := func(role rbacv1.RoleRef) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: namespaced("ns", "new"), RoleRef: role, Subjects: []rbacv1.Subject{user("bob")}}
	}
	everywhere := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "new"}, RoleRef: to("ClusterRole", "root")}
	aggregated := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "agg"}, AggregationRule: &rbacv1.AggregationRule{}}
	logs := rule([]string{"get"}, "", "pods/log")
	for name, c := range map[string]struct {
		user     bus.User
		groups   []string
		obj, old schemas.Object
		want     bool
	}{
		"less than one has":      {"bob", nil, role(logs), nil, true},
		"more than one has":      {"bob", nil, role(rule([]string{"delete"}, "", "pods")), nil, false},
		"unchanged":              {"bob", nil, role(everything()[0]), role(everything()[0]), true},
		"a superuser":            {"admin", nil, role(everything()[0]), nil, true},
		"who has all":            {"x", []string{"ops"}, role(everything()[0]), nil, true},
		"who may escalate":       {"binder", nil, role(everything()[0]), nil, true},
		"bind what one has":      {"bob", nil, bind(to("Role", "reader")), nil, true},
		"bind more":              {"bob", nil, bind(to("ClusterRole", "root")), nil, false},
		"who may bind":           {"binder", nil, bind(to("ClusterRole", "root")), nil, true},
		"who may bind another":   {"binder", nil, bind(to("ClusterRole", "scaler")), nil, false},
		"bind everywhere":        {"bob", nil, everywhere, nil, false},
		"may bind everywhere":    {"binder", nil, everywhere, nil, true},
		"bind what is not there": {"bob", nil, bind(to("Role", "none")), nil, false},
		"aggregate":              {"bob", nil, aggregated, nil, false},
		"aggregate as root":      {"x", []string{"ops"}, aggregated, nil, true},
		"something else":         {"bob", nil, &corev1.ConfigMap{ObjectMeta: namespaced("ns", "c")}, nil, true},
	} {
		a := access.Attributes{User: c.user, Groups: c.groups, Verb: "create", Namespace: schemas.Namespace(c.obj.GetNamespace())}
		if err := guard(s).Admit(a, c.obj, c.old); (err == nil) != c.want {
			t.Errorf("%s: %v, want allowed %v", name, err, c.want)
		}
	}
	err := guard(s).Admit(access.Attributes{User: "bob", Namespace: "ns"}, role(rule([]string{"delete"}, "", "pods")), nil)
	want := `is attempting to grant RBAC permissions not currently held:` + "\n" + `{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`
	if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestDefaultsAreValidAndDoWhatTheirNamesSay(t *testing.T) {
	s := accesstest.State{}
	for _, o := range Defaults() {
		r := schemas.ClusterRoles
		if _, ok := o.(*rbacv1.ClusterRoleBinding); ok {
			r = schemas.ClusterRoleBindings
		}
		k := kinds.Table().ByResource(r)
		if errs := k.Validate(o); len(errs) > 0 {
			t.Errorf("%s: %v", o.GetName(), errs)
		}
		s.Put(r, o)
	}
	z := Authorizer{s}
	ask := func(group string, a access.Attributes) bool {
		a.User, a.Groups = "x", []string{group}
		ok, _ := z.Authorize(a)
		return ok
	}
	if !ask(access.GroupMasters, access.Attributes{Verb: "delete", Resource: schemas.Nodes, Name: "n"}) {
		t.Error("masters may not delete nodes")
	}
	if ask(GroupAuthenticated, access.Attributes{Verb: "get", Resource: schemas.Pods, Namespace: "ns", Name: "p"}) {
		t.Error("everybody may read pods")
	}
	if !ask(GroupAuthenticated, access.Attributes{Verb: "create", Resource: schemas.SelfSubjectAccessReviews}) {
		t.Error("not everybody may ask what they may")
	}
	bundles := access.Attributes{Verb: "list", Resource: schemas.ClusterTrustBundles}
	if !ask("system:serviceaccounts", bundles) || ask(GroupAuthenticated, bundles) {
		t.Error("it is not service accounts that read trust bundles")
	}
	if !ask(GroupUnauthenticated, access.Attributes{Verb: "get", Path: "/version"}) || ask(GroupUnauthenticated, access.Attributes{Verb: "get", Path: "/apis"}) {
		t.Error("strangers may see something else than versions and health")
	}
}
