package registry

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// explainPlacement asks the scheduler why the pod is where it is.
func (g *Registry) explainPlacement(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if _, err := g.read(ctx, r, k); err != nil {
		return nil, err
	}
	return g.askScheduler(ctx, &placement.Query{Namespace: string(r.Namespace), Name: string(r.Name)})
}

// proposePlacement asks the scheduler where pods would go that are not there. Nothing
// is stored.
func (g *Registry) proposePlacement(ctx context.Context, r *api.Request, _ *schemas.Kind) (*api.Reply, error) {
	var q placement.Query
	if err := json.Unmarshal(r.Body, &q); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("read query: %v", err))
	}
	for i, p := range q.Pods {
		if p.Pod == nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("pods[%d] has no pod", i))
		}
		// Who may ask in a namespace asks about that one only.
		p.Pod.Namespace = string(r.Namespace)
	}
	for i, group := range q.Groups {
		if group == nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("groups[%d] has no group", i))
		}
		group.Namespace = string(r.Namespace)
	}
	return g.askScheduler(ctx, &placement.Query{Pods: q.Pods, Groups: q.Groups})
}

func (g *Registry) askScheduler(ctx context.Context, q *placement.Query) (*api.Reply, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("encode query: %w", err)
	}
	answer, err := g.Send(ctx, bus.ExplainSubject, body)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no scheduler answers: %v", err))
	}
	var meta metav1.TypeMeta
	if err := json.Unmarshal(answer, &meta); err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("read answer of the scheduler: %w", err))
	}
	if meta.Kind == "Status" {
		return nil, status.Decode(answer)
	}
	return &api.Reply{Body: answer}, nil
}
