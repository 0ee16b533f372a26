// Package gate asks the apiserver whether a user may reach into a pod, before the
// agent serves them: agents know no roles, as kubelets do not.
//
// It reads the apiserver's answers and writes nothing. What always holds: without a
// yes nobody gets in but those who may everything and the gateways, which have asked
// already for whom they speak; an apiserver that cannot be asked is no yes.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// patience bounds one question.
const patience = 5 * time.Second

// Asker asks the apiserver.
type Asker interface {
	Do(ctx context.Context, r *api.Request) (*api.Reply, error)
}

// Gate lets users in.
type Gate struct{ API Asker }

// trusted are who need not be asked about.
var trusted = map[bus.User]bool{"admin": true, "system:gateway": true}

// right is what a session's verb needs, as Kubernetes has it.
type right struct{ verb, subresource string }

var rights = map[remote.Verb]right{
	remote.VerbLogs:    {"get", "log"},
	remote.VerbExec:    {"create", "exec"},
	remote.VerbAttach:  {"create", "attach"},
	remote.VerbForward: {"create", "portforward"},
	remote.VerbCopy:    {"create", "exec"},
}

// Guard is h behind the gate.
func (g Gate) Guard(v remote.Verb, h stream.Handler) stream.Handler {
	return func(ctx context.Context, who bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		if !trusted[who] {
			if err := g.ask(ctx, who, v, hello); err != nil {
				return err
			}
		}
		return h(ctx, who, hello, accept)
	}
}

func (g Gate) ask(ctx context.Context, who bus.User, v remote.Verb, hello []byte) error {
	var pod remote.Pod
	if err := json.Unmarshal(hello, &pod); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("the request cannot be read: %v", err))
	}
	need, ok := rights[v]
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("no right is known for %s", v))
	}
	review := authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: string(who), Groups: []string{"system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: need.verb, Resource: "pods", Subresource: need.subresource, Namespace: string(pod.Namespace), Name: string(pod.Name),
		},
	}}
	body, err := json.Marshal(review)
	if err != nil {
		return fmt.Errorf("encode review: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := g.API.Do(ctx, &api.Request{Verb: api.VerbCreate, Resource: schemas.SubjectAccessReviews, Body: body})
	if err != nil {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("the apiserver cannot be asked whether %q may do this: %v", who, err))
	}
	if err := json.Unmarshal(reply.Body, &review); err != nil {
		return fmt.Errorf("read review: %w", err)
	}
	if review.Status.Allowed {
		return nil
	}
	why := fmt.Sprintf("User %q cannot %s resource \"pods/%s\" in API group \"\" in the namespace %q", who, need.verb, need.subresource, pod.Namespace)
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, string(pod.Name), errors.New(why))
}
