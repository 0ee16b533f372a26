package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// tokenRequest asks for a token of an account of the namespace default.
func tokenRequest(c *api.Client, account schemas.Name, tr *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	body, err := json.Marshal(tr)
	if err != nil {
		return nil, err
	}
	reply, err := c.Do(context.Background(), &api.Request{Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Subresource: "token",
		Namespace: "default", Name: account, Body: body})
	if err != nil {
		return nil, err
	}
	out := &authenticationv1.TokenRequest{}
	return out, json.Unmarshal(reply.Body, out)
}

// TestTokensOfSeveralApiservers: two that begin at once agree on a key, and one takes what
// the other issued; the first pod of a namespace finds its account.
func TestTokensOfSeveralApiservers(t *testing.T) {
	c := newCluster(t)
	var begun sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		begun.Go(func() { c.serve(t, id) })
	}
	begun.Wait()
	admin := c.client(t, "admin")
	p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i"}}}}
	p.Namespace, p.Name = "default", "p"
	made, err := admin.Create(ctx(t), schemas.Pods, p)
	if err != nil {
		t.Fatal(err)
	}
	bound := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "p", UID: made.GetUID()}
	for range 20 { // some by each
		tr, err := tokenRequest(admin, "default", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: tr.Status.Token}})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := admin.Do(ctx(t), &api.Request{Verb: api.VerbCreate, Resource: schemas.TokenReviews, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		var review authenticationv1.TokenReview
		if err := json.Unmarshal(reply.Body, &review); err != nil || review.Status.User.Username != "system:serviceaccount:default:default" {
			t.Fatalf("%v %+v", err, review.Status)
		}
	}
}

// BenchmarkTokenRequest is what a pod's start waits for its token.
func BenchmarkTokenRequest(b *testing.B) {
	_, conns := benchCluster(b, 1)
	p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i"}}}}
	p.Namespace, p.Name = "default", "p"
	made, err := conns[0].Create(ctx(b), schemas.Pods, p)
	if err != nil {
		b.Fatal(err)
	}
	bound := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "p", UID: made.GetUID()}
	for b.Loop() {
		if _, err := tokenRequest(conns[0], "default", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound}}); err != nil {
			b.Fatal(fmt.Errorf("token: %w", err))
		}
	}
}
