package apiserver_test

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// TestActingForOthers: who may name the user that a request is for, and that it then
// counts as that user's.
func TestActingForOthers(t *testing.T) {
	c, _ := one(t)
	masters := []string{"system:masters", "system:authenticated"}
	ann := &api.Identity{User: "ann", Groups: []string{"system:authenticated"}}
	boss := &api.Identity{User: "boss", Groups: masters}
	tests := []struct {
		conn            bus.User
		as, impersonate *api.Identity
		ok              bool
	}{
		{"system:gateway", nil, nil, false},
		{"system:gateway", ann, nil, false},
		{"system:gateway", boss, nil, true},
		{"system:gateway", &api.Identity{User: "admin"}, nil, true},
		{"system:gateway", &api.Identity{}, nil, false},
		{"system:gateway", ann, boss, false},
		{"system:gateway", ann, &api.Identity{User: "ann", Groups: []string{"system:masters"}}, false},
		{"system:gateway", boss, ann, false},
		{"system:gateway", boss, &api.Identity{User: "zoe", Groups: []string{"system:masters"}}, true},
		{"system:gateway", nil, boss, false},
		{"admin", boss, nil, true},
		{"admin", ann, nil, false},
		{"admin", nil, ann, false},
		{"admin", nil, nil, true},
		{"ann", boss, nil, false},
		{"ann", nil, boss, false},
		{"system:node:n1", boss, nil, false},
		{"system:scheduler", boss, nil, false},
	}
	for _, tt := range tests {
		client := c.client(t, tt.conn)
		_, err := client.Do(ctx(t), &api.Request{Verb: api.VerbList, Resource: schemas.Secrets, As: tt.as, Impersonate: tt.impersonate})
		if tt.ok && err != nil || !tt.ok && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
			t.Errorf("%s as %+v, %+v: %v", tt.conn, tt.as, tt.impersonate, err)
		}
		w, err := client.OpenWatch(ctx(t), &api.Request{Resource: schemas.Secrets, List: &metav1.ListOptions{}, As: tt.as, Impersonate: tt.impersonate})
		if err == nil {
			w.Close()
		}
		if tt.ok && err != nil || !tt.ok && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
			t.Errorf("watch by %s as %+v, %+v: %v", tt.conn, tt.as, tt.impersonate, err)
		}
	}
}

// TestHistorySaysForWhom: what is kept of a change names the user, not the gateway.
func TestHistorySaysForWhom(t *testing.T) {
	c, admin := one(t)
	boss := &api.Identity{User: "boss", Groups: []string{"system:masters"}}
	body := []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default"}}`)
	if _, err := c.client(t, "system:gateway").Do(ctx(t), &api.Request{
		Verb: api.VerbCreate, Resource: schemas.ConfigMaps, Namespace: "default", Body: body, As: boss,
	}); err != nil {
		t.Fatal(err)
	}
	revisions, err := admin.History(ctx(t), cmRef("a"))
	if err != nil || len(revisions) != 1 || revisions[0].User != "boss" {
		t.Errorf("history %+v, %v", revisions, err)
	}
}

// TestImpersonation: each part of who somebody wants to be takes a right of its own; service
// accounts are asked for as such, in their namespace.
func TestImpersonation(t *testing.T) {
	c, admin := one(t)
	grant := func(name, ns string, to rbacv1.Subject, rules ...rbacv1.PolicyRule) {
		t.Helper()
		if ns == "" {
			must(admin.Create(ctx(t), schemas.ClusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}))(t)
			must(admin.Create(ctx(t), schemas.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: name}, Subjects: []rbacv1.Subject{to},
			}))(t)
			return
		}
		must(admin.Create(ctx(t), schemas.Roles, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Rules: rules}))(t)
		must(admin.Create(ctx(t), schemas.RoleBindings, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: name}, Subjects: []rbacv1.Subject{to},
		}))(t)
	}
	may := func(group, resource string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: []string{"impersonate"}, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
	}
	const authn = "authentication.k8s.io"
	user := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "User", Name: name} }
	grant("all", "", rbacv1.Subject{Kind: "Group", Name: "system:authenticated"},
		rbacv1.PolicyRule{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"secrets"}})
	grant("robots", "default", user("ann"), may("", "serviceaccounts", "robot"))
	grant("parts", "", user("ann"), may("", "groups", "devs"), may(authn, "uids", "7"), may(authn, "userextras/scopes", "view"))
	grant("users", "", user("eve"), may("", "users"))
	robot := func(edit func(*api.Identity)) *api.Identity {
		i := &api.Identity{User: "system:serviceaccount:default:robot"}
		edit(i)
		return i
	}
	for name, tt := range map[string]struct {
		who bus.User
		to  *api.Identity
		ok  bool
	}{
		"its account":             {"ann", robot(func(*api.Identity) {}), true},
		"another account":         {"ann", robot(func(i *api.Identity) { i.User = "system:serviceaccount:default:other" }), false},
		"another namespace":       {"ann", robot(func(i *api.Identity) { i.User = "system:serviceaccount:kube-system:robot" }), false},
		"a group":                 {"ann", robot(func(i *api.Identity) { i.Groups = []string{"devs"} }), true},
		"another group":           {"ann", robot(func(i *api.Identity) { i.Groups = []string{"devs", "system:masters"} }), false},
		"a uid":                   {"ann", robot(func(i *api.Identity) { i.UID = "7" }), true},
		"another uid":             {"ann", robot(func(i *api.Identity) { i.UID = "8" }), false},
		"an extra":                {"ann", robot(func(i *api.Identity) { i.Extra = map[string][]string{"scopes": {"view"}} }), true},
		"another value":           {"ann", robot(func(i *api.Identity) { i.Extra = map[string][]string{"scopes": {"view", "edit"}} }), false},
		"another extra":           {"ann", robot(func(i *api.Identity) { i.Extra = map[string][]string{"other": {"view"}} }), false},
		"a user":                  {"eve", &api.Identity{User: "zoe"}, true},
		"an account, as users go": {"eve", robot(func(*api.Identity) {}), false},
		"no account's name":       {"eve", &api.Identity{User: "system:serviceaccount:default"}, true},
		"nobody's right":          {"bob", &api.Identity{User: "zoe"}, false},
	} {
		_, err := c.client(t, "system:gateway").Do(ctx(t), &api.Request{
			Verb: api.VerbList, Resource: schemas.Secrets, As: &api.Identity{User: tt.who, Groups: []string{"system:authenticated"}}, Impersonate: tt.to,
		})
		if tt.ok && err != nil || !tt.ok && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
