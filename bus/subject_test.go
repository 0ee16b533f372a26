package bus

import (
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas"
)

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"web", "n1.example.com", "system:node:n1", "a=b", "", "日本", "*", ">", "a b", "=2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, dots := range []bool{false, true} {
			e := Escape(s, dots)
			if strings.ContainsAny(e, "*> \t\r\n") || !dots && strings.Contains(e, ".") {
				t.Errorf("%q escapes to %q, which is no token", s, e)
			}
			if back, err := Unescape(e); err != nil || back != s {
				t.Errorf("%q → %q → %q, %v", s, e, back, err)
			}
		}
	})
}

func TestKeysComeBack(t *testing.T) {
	deployment := schemas.Ref{Resource: schemas.Deployments, Namespace: "default", Name: "web"}
	node := schemas.Ref{Resource: schemas.Nodes, Name: "n1.example.com"}
	lease := schemas.Ref{Resource: schemas.Leases, Namespace: "kube-system", Name: "a.b"}
	role := schemas.Ref{Resource: schemas.Resource{Group: "rbac.authorization.k8s.io", Plural: "clusterroles"}, Name: "system:node"}
	pod := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "web-1.a"}
	tests := []struct {
		key  Key
		text string
		want StateKey
	}{
		{DesiredKey(deployment), "desired.apps/deployments.default.web", StateKey{Prefix: PrefixDesired, Ref: deployment}},
		{DesiredKey(node), "desired.nodes._.n1.example.com", StateKey{Prefix: PrefixDesired, Ref: node}},
		{CurrentKey(lease), "current.coordination_k8s_io/leases.kube-system.a.b", StateKey{Prefix: PrefixCurrent, Ref: lease}},
		{DesiredKey(role), "desired.rbac_authorization_k8s_io/clusterroles._.system=3anode", StateKey{Prefix: PrefixDesired, Ref: role}},
		{AssignedKey("n1.example.com", "default", "web-1.a"), "assigned.n1=2eexample=2ecom.default.web-1.a", StateKey{Prefix: PrefixAssigned, Node: "n1.example.com", Ref: pod}},
		{AssignedKey("", "default", "web-1.a"), "assigned._.default.web-1.a", StateKey{Prefix: PrefixAssigned, Ref: pod}},
		{ObservedPodKey("n1", "default", "web-1.a"), "observed.n1.pods.default.web-1.a", StateKey{Prefix: PrefixObserved, Node: "n1", Ref: pod}},
		{ObservedNodeKey("n1.example.com"), "observed.n1=2eexample=2ecom.node", StateKey{Prefix: PrefixObserved, Node: "n1.example.com", Ref: node}},
	}
	for _, tt := range tests {
		if string(tt.key) != tt.text {
			t.Errorf("key %s, want %s", tt.key, tt.text)
		}
		if got, err := ParseStateKey(tt.key); err != nil || got != tt.want {
			t.Errorf("%s parses to %+v, %v; want %+v", tt.key, got, err, tt.want)
		}
	}
	for _, bad := range []Key{"", "desired", "desired.pods", "desired.pods.default", "desired.pods.default.", "observed.n1", "observed.n1.other", "observed.n1.pods.default", "assigned.n1.default", "stray.a.b.c", "desired.pods.default.a=2"} {
		if got, err := ParseStateKey(bad); err == nil {
			t.Errorf("%q parses to %+v", bad, got)
		}
	}
}

func TestAPISubject(t *testing.T) {
	u := NodeUser("n1.example.com")
	s := APISubject(u, "get", schemas.Deployments)
	if s != "api.system=3anode=3an1=2eexample=2ecom.get.apps/deployments" {
		t.Errorf("subject %s", s)
	}
	gotUser, verb, r, err := ParseAPISubject(s)
	if err != nil || gotUser != u || verb != "get" || r != schemas.Deployments {
		t.Errorf("%s parses to %s %s %s, %v", s, gotUser, verb, r, err)
	}
	if n, ok := gotUser.Node(); !ok || n != "n1.example.com" {
		t.Errorf("the agent of %q, %v", n, ok)
	}
}
