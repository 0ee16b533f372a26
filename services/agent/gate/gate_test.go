package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
)

// asker allows bob to read logs in ns.
type asker struct {
	asked int
	err   error
}

func (a *asker) Do(_ context.Context, r *api.Request) (*api.Reply, error) {
	a.asked++
	if a.err != nil {
		return nil, a.err
	}
	var review authorizationv1.SubjectAccessReview
	if err := json.Unmarshal(r.Body, &review); err != nil {
		return nil, err
	}
	at := review.Spec.ResourceAttributes
	review.Status.Allowed = review.Spec.User == "bob" && at.Namespace == "ns" && at.Name == "p" && at.Verb == "get" && at.Subresource == "log"
	body, err := json.Marshal(review)
	return &api.Reply{Body: body}, err
}

func TestGate(t *testing.T) {
	for name, c := range map[string]struct {
		who   bus.User
		verb  remote.Verb
		hello string
		err   error
		in    bool
		asked int
	}{
		"allowed":         {"bob", remote.VerbLogs, `{"namespace":"ns","name":"p"}`, nil, true, 1},
		"other verb":      {"bob", remote.VerbExec, `{"namespace":"ns","name":"p"}`, nil, false, 1},
		"other namespace": {"bob", remote.VerbLogs, `{"namespace":"other","name":"p"}`, nil, false, 1},
		"other user":      {"eve", remote.VerbLogs, `{"namespace":"ns","name":"p"}`, nil, false, 1},
		"admin":           {"admin", remote.VerbExec, `{"namespace":"ns","name":"p"}`, nil, true, 0},
		"gateway":         {"system:gateway", remote.VerbExec, `{"namespace":"ns","name":"p"}`, nil, true, 0},
		"rubbish":         {"bob", remote.VerbLogs, `{`, nil, false, 0},
		"nobody answers":  {"bob", remote.VerbLogs, `{"namespace":"ns","name":"p"}`, errors.New("away"), false, 1},
		"unknown verb":    {"bob", "other", `{"namespace":"ns","name":"p"}`, nil, false, 0},
	} {
		a := &asker{err: c.err}
		in := false
		h := Gate{a}.Guard(c.verb, func(context.Context, bus.User, []byte, func() (*stream.Stream, error)) error { in = true; return nil })
		err := h(t.Context(), c.who, []byte(c.hello), nil)
		if in != c.in || (err == nil) != c.in || a.asked != c.asked {
			t.Errorf("%s: in %v, asked %d, %v", name, in, a.asked, err)
		}
	}
	err := Gate{&asker{}}.Guard(remote.VerbExec, nil)(t.Context(), "bob", []byte(`{"namespace":"ns","name":"p"}`), nil)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "bob" cannot create resource "pods/exec"`) {
		t.Errorf("said %v", err)
	}
}
