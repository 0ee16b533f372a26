package token

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

type state map[schemas.Ref]schemas.Object

func (s state) Get(ref schemas.Ref) (schemas.Object, bool) { o, ok := s[ref]; return o, ok }
func (s state) put(r schemas.Resource, o schemas.Object)   { s[schemas.RefOf(r, o)] = o }

func meta(ns, name, uid string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name, UID: types.UID(uid), ResourceVersion: uid}
}

type rig struct {
	state
	*Authority
	now     time.Time
	account *v1.ServiceAccount
	pod     *v1.Pod
}

func newRig(t *testing.T) *rig {
	t.Helper()
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{state: state{}, now: time.Unix(1_800_000_000, 0), account: &v1.ServiceAccount{ObjectMeta: meta("ns", "sa", "a1")},
		pod: &v1.Pod{ObjectMeta: meta("ns", "p", "p1"), Spec: v1.PodSpec{ServiceAccountName: "sa", NodeName: "n1"}}}
	g.put(schemas.Secrets, keys)
	g.put(schemas.ServiceAccounts, g.account)
	g.put(schemas.Pods, g.pod)
	g.put(schemas.Nodes, &v1.Node{ObjectMeta: meta("", "n1", "node1")})
	g.put(schemas.Secrets, &v1.Secret{ObjectMeta: meta("ns", "s", "s1")})
	g.Authority = New(g.state, func() time.Time { return g.now })
	return g
}

func request(seconds int64, audience string, to *authenticationv1.BoundObjectReference) *authenticationv1.TokenRequest {
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: to}}
	if seconds != 0 {
		tr.Spec.ExpirationSeconds = &seconds
	}
	if audience != "" {
		tr.Spec.Audiences = []string{audience}
	}
	return tr
}

func to(kind, name, uid string) *authenticationv1.BoundObjectReference {
	return &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: kind, Name: name, UID: types.UID(uid)}
}

func (g *rig) issue(t *testing.T, tr *authenticationv1.TokenRequest) string {
	t.Helper()
	out, err := g.Issue(g.account, tr)
	if err != nil {
		t.Fatal(err)
	}
	return out.Status.Token
}

func TestClaims(t *testing.T) {
	g := newRig(t)
	out, err := g.Issue(g.account, request(0, "", to("Pod", "p", "p1")))
	if err != nil {
		t.Fatal(err)
	}
	if !out.Status.ExpirationTimestamp.Time.Equal(g.now.Add(time.Hour)) || *out.Spec.ExpirationSeconds != 3600 {
		t.Errorf("status %v", out.Status.ExpirationTimestamp)
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(out.Status.Token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "jti")
	want := map[string]any{
		"aud": []any{Issuer}, "iss": Issuer, "sub": "system:serviceaccount:ns:sa",
		"iat": 1.8e9, "nbf": 1.8e9, "exp": 1.8e9 + 3600,
		"kubernetes.io": map[string]any{"namespace": "ns", "serviceaccount": map[string]any{"name": "sa", "uid": "a1"},
			"pod": map[string]any{"name": "p", "uid": "p1"}, "node": map[string]any{"name": "n1", "uid": "node1"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	who, audiences, err := g.Verify(out.Status.Token, nil)
	if err != nil || who.User != "system:serviceaccount:ns:sa" || who.UID != "a1" || audiences[0] != Issuer ||
		!reflect.DeepEqual(who.Groups, []string{"system:serviceaccounts", "system:serviceaccounts:ns"}) ||
		who.Extra["authentication.kubernetes.io/pod-name"][0] != "p" || who.Extra["authentication.kubernetes.io/node-uid"][0] != "node1" {
		t.Errorf("%+v %v %v", who, audiences, err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	g := newRig(t)
	other := &v1.Pod{ObjectMeta: meta("ns", "other", "o1"), Spec: v1.PodSpec{ServiceAccountName: "else"}}
	g.put(schemas.Pods, other)
	for want, tr := range map[string]*authenticationv1.TokenRequest{
		"may not specify a duration less than 10 minutes":     request(599, "", nil),
		"may not specify a duration larger than 2^32 seconds": request(1<<32+1, "", nil),
		"cannot bind token to object of type v1, Kind=Pants":  request(0, "", to("Pants", "p", "")),
		`pods "none" not found`:                               request(0, "", to("Pod", "none", "")),
		"does not match the UID in record":                    request(0, "", to("Pod", "p", "p0")),
		"running with different serviceaccount name":          request(0, "", to("Pod", "other", "o1")),
	} {
		if _, err := g.Issue(g.account, tr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	delete(g.state, KeysRef)
	if _, err := g.Issue(g.account, request(0, "", nil)); err == nil {
		t.Error("signed without a key")
	}
}

// TestTokensLastNoLongerThanWhatTheyAreFor changes one thing of the state, or of the token, at a time.
func TestTokensLastNoLongerThanWhatTheyAreFor(t *testing.T) {
	swap := func(s string) string { // its first character is another one
		if s[0] == 'A' {
			return "B" + s[1:]
		}
		return "A" + s[1:]
	}
	for name, c := range map[string]struct {
		to     *authenticationv1.BoundObjectReference
		change func(g *rig, token string) string
	}{
		"expired": {nil, func(g *rig, tok string) string { g.now = g.now.Add(time.Hour); return tok }},
		"not yet": {nil, func(g *rig, tok string) string { g.now = g.now.Add(-time.Minute); return tok }},
		"no account": {nil, func(g *rig, tok string) string {
			delete(g.state, schemas.RefOf(schemas.ServiceAccounts, g.account))
			return tok
		}},
		"another account": {nil, func(g *rig, tok string) string { g.account.UID = "a2"; return tok }},
		"no pod":          {to("Pod", "p", ""), func(g *rig, tok string) string { delete(g.state, schemas.RefOf(schemas.Pods, g.pod)); return tok }},
		"another pod":     {to("Pod", "p", ""), func(g *rig, tok string) string { g.pod.UID = "p2"; return tok }},
		"pod long gone": {to("Pod", "p", ""), func(g *rig, tok string) string {
			at := metav1.NewTime(g.now.Add(-2 * time.Minute))
			g.pod.DeletionTimestamp = &at
			return tok
		}},
		"no secret": {to("Secret", "s", "s1"), func(g *rig, tok string) string {
			delete(g.state, schemas.Ref{Resource: schemas.Secrets, Namespace: "ns", Name: "s"})
			return tok
		}},
		"no node": {to("Node", "n1", ""), func(g *rig, tok string) string {
			delete(g.state, schemas.Ref{Resource: schemas.Nodes, Name: "n1"})
			return tok
		}},
		"another key": {nil, func(g *rig, tok string) string {
			k, _ := NewKeys()
			k.ResourceVersion = "2"
			g.put(schemas.Secrets, k)
			return tok
		}},
		"another signature": {nil, func(_ *rig, tok string) string { i := strings.LastIndex(tok, "."); return tok[:i+1] + swap(tok[i+1:]) }},
		"no signature":      {nil, func(_ *rig, tok string) string { return tok[:strings.LastIndex(tok, ".")+1] }},
		"another body":      {nil, func(_ *rig, tok string) string { p := strings.Split(tok, "."); return p[0] + "." + p[1] + "AA." + p[2] }},
		"algorithm none": {nil, func(_ *rig, tok string) string {
			p := strings.Split(tok, ".")
			head, _ := part(header{Algorithm: "none"})
			return head + "." + p[1] + "."
		}},
		"too long": {nil, func(_ *rig, tok string) string { return tok + strings.Repeat("a", longest) }},
		"no token": {nil, func(*rig, string) string { return "a.b" }},
	} {
		g := newRig(t)
		tok := g.issue(t, request(0, "", c.to))
		if _, _, err := g.Verify(tok, nil); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		if who, _, err := g.Verify(c.change(g, tok), nil); err == nil {
			t.Errorf("%s: it is %v's", name, who)
		}
	}
	g := newRig(t)
	tok := g.issue(t, request(0, "vault", to("Pod", "p", "")))
	if _, _, err := g.Verify(tok, nil); err == nil {
		t.Error("a token for another audience was taken")
	}
	if _, good, err := g.Verify(tok, []string{"x", "vault"}); err != nil || !reflect.DeepEqual(good, []string{"vault"}) {
		t.Errorf("%v, %v", good, err)
	}
	going := metav1.NewTime(g.now)
	g.pod.DeletionTimestamp = &going
	if _, _, err := g.Verify(tok, []string{"vault"}); err != nil {
		t.Errorf("a pod that is ending lost its token: %v", err)
	}
}

// TestKeysAreReplaced: tokens of the former key hold while the Secret has it.
func TestKeysAreReplaced(t *testing.T) {
	g := newRig(t)
	old := g.issue(t, request(0, "", nil))
	first, _ := g.state[KeysRef].(*v1.Secret)
	second, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	second.ResourceVersion = "2"
	for id, k := range first.Data {
		second.Data[id] = k
	}
	g.put(schemas.Secrets, second)
	for _, tok := range []string{old, g.issue(t, request(0, "", nil))} {
		if _, _, err := g.Verify(tok, nil); err != nil {
			t.Error(err)
		}
	}
	second = second.DeepCopy()
	second.ResourceVersion, second.Annotations[current] = "3", "nobody"
	g.put(schemas.Secrets, second)
	if _, _, err := g.Verify(old, nil); err == nil {
		t.Error("keys that name no signer were taken")
	}
}

func TestReview(t *testing.T) {
	g := newRig(t)
	r := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: g.issue(t, request(0, "", nil))}}
	g.Review(r)
	if !r.Status.Authenticated || r.Status.User.Username != "system:serviceaccount:ns:sa" || r.Status.User.Groups[2] != "system:authenticated" {
		t.Errorf("%+v", r.Status)
	}
	r.Spec.Token = "x"
	g.Review(r)
	if r.Status.Authenticated || r.Status.User.Username != "" || r.Status.Error == "" {
		t.Errorf("%+v", r.Status)
	}
}

func BenchmarkIssue(b *testing.B) {
	g := newRig(&testing.T{})
	for b.Loop() {
		if _, err := g.Issue(g.account, request(0, "", to("Pod", "p", "p1"))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	g := newRig(&testing.T{})
	tok := g.issue(&testing.T{}, request(0, "", to("Pod", "p", "p1")))
	for b.Loop() {
		if _, _, err := g.Verify(tok, nil); err != nil {
			b.Fatal(err)
		}
	}
}
