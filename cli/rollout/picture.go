package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// errDone ends a watch whose purpose is reached.
var errDone = errors.New("done")

// maxHindrances bounds the lines about pods under one rollout.
const maxHindrances = 5

// picture is what the terminal shows of one rollout. Safe for concurrent use.
type picture struct {
	ref   schemas.Ref
	label string
	last  string // the last line, in a pipe

	mu     sync.Mutex
	object schemas.Object
	status progress
	pods   map[string]*corev1.Pod
}

func (p *picture) setObject(obj schemas.Object, st progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.object, p.status = obj, st
}

func (p *picture) setPod(event string, obj schemas.Object) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if event == "DELETED" {
		delete(p.pods, pod.Name)
		return
	}
	if event != "BOOKMARK" {
		p.pods[pod.Name] = pod
	}
}

// lines renders the picture.
func (p *picture) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.object == nil {
		return []string{p.label}
	}
	lines := []string{mark(p.status.Done) + " " + p.label + "  " + counts(p.object)}
	if p.status.Done {
		return lines
	}
	return append(lines, p.hindrances()...)
}

func mark(done bool) string {
	if done {
		return "✓"
	}
	return "…"
}

// counts renders "2/3 new ready, 1 old".
func counts(obj schemas.Object) string {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		want := int32(1)
		if o.Spec.Replicas != nil {
			want = *o.Spec.Replicas
		}
		st := o.Status
		fresh := st.UpdatedReplicas
		old := max(0, st.Replicas-st.UpdatedReplicas)
		s := fmt.Sprintf("%s new %d/%d, available %d", bar(fresh, want), fresh, want, st.AvailableReplicas)
		if old > 0 {
			s += fmt.Sprintf(", old %d", old)
		}
		if o.Spec.Paused {
			s += " (paused)"
		}
		return s
	case *appsv1.ReplicaSet:
		want := int32(1)
		if o.Spec.Replicas != nil {
			want = *o.Spec.Replicas
		}
		return fmt.Sprintf("%s available %d/%d", bar(o.Status.AvailableReplicas, want), o.Status.AvailableReplicas, want)
	}
	return ""
}

func bar(have, want int32) string {
	const width = 12
	if want <= 0 {
		return "[" + strings.Repeat("=", width) + "]"
	}
	n := int(min(have, want)) * width / int(want)
	return "[" + strings.Repeat("=", n) + strings.Repeat(" ", width-n) + "]"
}

// why lists what hinders the rollout as it is now.
func (p *picture) why() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hindrances()
}

// hindrances lists what keeps pods from being ready, by pod name.
func (p *picture) hindrances() []string {
	var lines []string
	for name, pod := range p.pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		if h := hindrance(pod); h != "" {
			lines = append(lines, "    "+name+": "+strings.ReplaceAll(h, "\n", " "))
		}
	}
	slices.Sort(lines)
	if len(lines) > maxHindrances {
		more := len(lines) - maxHindrances
		lines = append(lines[:maxHindrances], fmt.Sprintf("    and %d more", more))
	}
	return lines
}
