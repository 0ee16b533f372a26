package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// Schedulers side by side decide each on a copy of the cluster that lacks what the others
// decided a moment ago. So that no node is given twice, one of them, the default one, has
// the last word: the others claim their placements from it, and it writes those that are
// still possible beside its own. Who is refused decides again, on a newer copy.

// claims are what one cycle of another scheduler placed.
type claims struct {
	// Seen is the revision that the claims were made at, or later.
	Seen   store.Revision `json:"seen"`
	Claims []claim        `json:"claims"`
}

// claim is pods on nodes, all of them or none.
type claim struct {
	Pods []claimed `json:"pods"`
}

type claimed struct {
	Namespace schemas.Namespace `json:"namespace"`
	Name      schemas.Name      `json:"name"`
	UID       types.UID         `json:"uid"`
	Node      schemas.NodeName  `json:"node"`
}

func (c claimed) ref() schemas.Ref {
	return schemas.Ref{Resource: schemas.Pods, Namespace: c.Namespace, Name: c.Name}
}

// granted is the answer.
type granted struct {
	// Revision reflects all that was decided here.
	Revision store.Revision `json:"revision"`
	// Refused is why, for each claim; "" if it was written.
	Refused []string `json:"refused"`
}

// serveClaims answers other schedulers.
func serveClaims(ctx context.Context, conn *bus.Conn, s *scheduler) error {
	return conn.Respond(ctx, bus.ClaimSubject, "scheduler", 16, func(ctx context.Context, _ string, body []byte) []byte {
		answer, err := s.grant(ctx, body)
		if err == nil {
			var b []byte
			if b, err = json.Marshal(answer); err == nil {
				return b
			}
		}
		return status.Encode(err)
	})
}

// grant writes the claims that are possible beside all that was decided here.
func (s *scheduler) grant(ctx context.Context, body []byte) (*granted, error) {
	var q claims
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("read claims: %v", err))
	}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.view.WaitFor(wait, q.Seen); err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	out := &granted{Refused: make([]string, len(q.Claims))}
	var writes []write
	var of []int // the claims that writes are of
	s.state.mu.Lock()
	for i, c := range q.Claims {
		w, err := s.admit(c)
		if err != nil {
			out.Refused[i] = err.Error()
			continue
		}
		writes, of = append(writes, w), append(of, i)
	}
	s.state.mu.Unlock()
	var failed []write
	s.commit(ctx, writes, func(i int, rev store.Revision, err error) {
		if err != nil {
			failed = append(failed, writes[i])
			out.Refused[of[i]] = err.Error()
			return
		}
		out.Revision = max(out.Revision, rev)
	})
	if len(failed) > 0 {
		if err := s.catchUp(wait); err != nil {
			s.Log.Warn("what became of placements is not known yet", "claims", len(failed), "error", err)
		}
		s.forgetAssumed(failed...)
	}
	out.Revision = max(out.Revision, s.view.Revision())
	return out, nil
}

// admit places a claim's pods in the mirror's cluster, all or none. The caller holds
// the mirror's lock.
func (s *scheduler) admit(c claim) (w write, err error) {
	defer func() {
		if err != nil {
			for _, d := range w.pods {
				s.state.cluster.RemovePod(d.pod.UID)
			}
		}
	}()
	for _, p := range c.Pods {
		parts := s.view.Parts(p.ref())
		pod, ok := parts.Objects.Desired.(*v1.Pod)
		order, _ := parts.Objects.Assigned.(*v1.Pod)
		switch {
		case !ok || pod.UID != p.UID || pod.DeletionTimestamp != nil:
			return w, fmt.Errorf("pod %s/%s is gone or going", p.Namespace, p.Name)
		case order != nil && order.Spec.NodeName != "":
			return w, fmt.Errorf("pod %s/%s is on node %s", p.Namespace, p.Name, order.Spec.NodeName)
		}
		if on, placed := s.state.cluster.Node(pod.UID); placed {
			return w, fmt.Errorf("pod %s/%s is being placed on node %s", p.Namespace, p.Name, on)
		}
		q := place.NewPod(pod)
		if err := s.state.cluster.Fits(q, p.Node); err != nil {
			return w, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
		}
		s.state.cluster.SetPod(q, p.Node)
		w.ops = append(w.ops, assign(pod, p.Node, parts.Assigned)...)
		w.pods = append(w.pods, decision{item: itemOf(p.ref(), pod), pod: pod, node: p.Node, desired: parts.Desired.Revision, order: len(w.ops)})
	}
	return w, nil
}

// claim asks the default scheduler for placements. What it refuses is decided again,
// with its state in sight; what it refuses twice in a row, after a back-off.
func (s *scheduler) claim(ctx context.Context, writes []write) (store.Revision, error) {
	q := claims{Seen: s.view.Revision()}
	for _, w := range writes {
		var c claim
		for _, d := range w.pods {
			c.Pods = append(c.Pods, claimed{Namespace: d.ref.Namespace, Name: d.ref.Name, UID: d.pod.UID, Node: d.node})
		}
		q.Claims = append(q.Claims, c)
	}
	body, err := json.Marshal(&q)
	if err != nil {
		return 0, fmt.Errorf("encode claims: %w", err)
	}
	reply, err := s.conn.Request(ctx, bus.ClaimSubject, body)
	if errors.Is(err, bus.ErrUnreachable) {
		return 0, fmt.Errorf("claim placements: the default scheduler, which settles them, does not run: %w", err)
	}
	if err != nil {
		return 0, fmt.Errorf("claim placements: %w", err)
	}
	var out granted
	if err := json.Unmarshal(reply, &out); err != nil || len(out.Refused) != len(writes) {
		return 0, fmt.Errorf("claim placements: %w", errors.Join(err, status.Decode(reply)))
	}
	for i, w := range writes {
		if out.Refused[i] == "" {
			s.done(w)
			for _, d := range w.pods {
				delete(s.refused, d.ref)
			}
			continue
		}
		s.forgetAssumed(w)
		s.again(w, out.Refused[i])
	}
	return out.Revision, nil
}

// again puts refused pods back.
func (s *scheduler) again(w write, why string) {
	for _, d := range w.pods {
		if s.refused[d.ref] {
			delete(s.refused, d.ref)
			s.Log.Info("a placement is refused again", "pod", d.ref, "node", d.node, "why", why)
			s.state.queue.putOff(d.item, true, s.Now())
			continue
		}
		s.refused[d.ref] = true
		s.state.queue.add(d.item)
	}
}
