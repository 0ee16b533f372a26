package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// place prints where the pods of what would be applied would go. Each namespace is asked
// about for itself.
func (a *applier) place(ctx context.Context) error {
	queries, order := map[schemas.Namespace]*placement.Query{}, []schemas.Namespace{}
	labels := map[schemas.Namespace][]string{}
	for _, f := range a.changed {
		ns := schemas.Namespace(f.Object.GetNamespace())
		if queries[ns] == nil {
			queries[ns] = &placement.Query{}
			order = append(order, ns)
		}
		if g, ok := f.Object.(*schedulingv1beta1.PodGroup); ok {
			queries[ns].Groups = append(queries[ns].Groups, g)
			continue
		}
		p, err := a.proposal(ctx, f)
		if err != nil {
			return err
		}
		if p != nil {
			queries[ns].Pods = append(queries[ns].Pods, *p)
			labels[ns] = append(labels[ns], f.Label())
		}
	}
	for _, ns := range order {
		if len(queries[ns].Pods) == 0 {
			continue
		}
		reply, err := session.Ask(ctx, a.client, &api.Request{Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: ns, Name: "proposed", Subresource: "placement"}, queries[ns])
		if err != nil {
			return err
		}
		var plan placement.Plan
		if err := json.Unmarshal(reply.Body, &plan); err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		for i, p := range plan.Placements {
			a.s.Printf("%s %s\n", labels[ns][i], sentence(&p))
		}
	}
	return nil
}

// sentence says what would become of one workload's pods.
func sentence(p *placement.Placement) string {
	total := p.Unplaced
	for _, n := range p.Nodes {
		total += n
	}
	var nodes []string
	for name, n := range p.Nodes {
		if total == 1 {
			nodes = append(nodes, "on "+name)
		} else {
			nodes = append(nodes, fmt.Sprintf("%d on %s", n, name))
		}
	}
	slices.Sort(nodes)
	const most = 20
	if len(nodes) > most {
		nodes = append(nodes[:most], fmt.Sprintf("and on %d more nodes", len(nodes)-most))
	}
	switch {
	case total == 0:
		return "would run no pods"
	case len(nodes) == 0:
		return "would run nowhere: " + p.Message
	case p.Unplaced > 0:
		return fmt.Sprintf("would run %s; %d nowhere: %s", strings.Join(nodes, ", "), p.Unplaced, p.Message)
	}
	return "would run " + strings.Join(nodes, ", ")
}

// proposal is the pods that f would make; nil if it makes none.
func (a *applier) proposal(ctx context.Context, f target.Found) (*placement.Proposal, error) {
	if p, ok := f.Object.(*corev1.Pod); ok {
		return &placement.Proposal{Pod: p, Count: 1}, nil
	}
	content, err := output.Content(f, true)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(content["spec"])
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.Label(), err)
	}
	var spec struct {
		Replicas, Parallelism *int
		Template              *corev1.PodTemplateSpec
	}
	if json.Unmarshal(b, &spec) != nil || spec.Template == nil || len(spec.Template.Spec.Containers) == 0 || f.Kind.Kind == "DaemonSet" {
		return nil, nil
	}
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: *spec.Template.ObjectMeta.DeepCopy(), Spec: spec.Template.Spec}
	pod.Name, pod.Namespace = f.Object.GetName()+"-proposed", f.Object.GetNamespace()
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: f.Kind.GroupVersion().String(), Kind: f.Kind.Kind, Name: f.Object.GetName(), UID: f.Object.GetUID(), Controller: ptr.To(true)}}
	count := ptr.Deref(spec.Replicas, ptr.Deref(spec.Parallelism, 1))
	// Admission says the pod's priority and default tolerations. Its namespace may be
	// one that is only proposed as well: then the pod is taken as it is.
	reply, err := session.Ask(ctx, a.client, &api.Request{Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: schemas.Namespace(pod.Namespace), Name: schemas.Name(pod.Name), DryRun: true}, pod)
	if err == nil {
		var admitted corev1.Pod
		if err := json.Unmarshal(reply.Body, &admitted); err != nil {
			return nil, fmt.Errorf("read reply about %s: %w", f.Label(), err)
		}
		pod = &admitted
	}
	return &placement.Proposal{Pod: pod, Count: min(count, placement.MaxProposed)}, nil
}
