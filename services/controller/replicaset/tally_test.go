package replicaset

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

var web = labels.SelectorFromSet(labels.Set{"app": "web"})

func labelled(l ...string) option {
	return func(p *corev1.Pod) {
		p.Labels = map[string]string{}
		for i := 0; i < len(l); i += 2 {
			p.Labels[l[i]] = l[i+1]
		}
	}
}

func TestTallyStatus(t *testing.T) {
	rs := newSet(4)
	rs.Spec.MinReadySeconds = 10
	rs.Spec.Template.Labels = map[string]string{"app": "web", "tier": "front"}
	tally := newTally(rulesOf(rs, web))
	full := labelled("app", "web", "tier", "front")
	for _, p := range []*corev1.Pod{
		newPodOf("a", full), newPodOf("b", unready), newPodOf("c", going), newPodOf("d", failed), newPodOf("f", failed, going),
		newPodOf("g", labelled("app", "other")),
	} {
		if wait := tally.put(p.Name, p, noon); wait != 0 {
			t.Errorf("%s waits %s", p.Name, wait)
		}
	}
	if wait := tally.put("e", newPodOf("e", full, readyFor(4*time.Second)), noon); wait != 6*time.Second {
		t.Errorf("e waits %s", wait)
	}
	one := int32(1)
	want := appsv1.ReplicaSetStatus{Replicas: 3, FullyLabeledReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1, TerminatingReplicas: &one, ObservedGeneration: 2}
	if got := tally.status(rs); !reflect.DeepEqual(got, want) {
		t.Errorf("status = %+v", got)
	}
	if !tally.rules.hold(newSetLike(rs)) {
		t.Error("scaling alone changes the rules")
	}
	rs.Spec.MinReadySeconds = 0
	if tally.rules.hold(rs) {
		t.Error("the rules hold with another minReadySeconds")
	}
}

// newSetLike is rs after it was scaled.
func newSetLike(rs *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	out := rs.DeepCopy()
	n := *rs.Spec.Replicas + 1
	out.Spec.Replicas = &n
	out.Generation++
	return out
}

// shelf is a view of pods only.
type shelf struct {
	cluster.Reader
	pods map[string]*corev1.Pod
	rs   *appsv1.ReplicaSet
	read int // by name
}

func (s *shelf) Get(ref schemas.Ref) (schemas.Object, bool) {
	s.read++
	p, ok := s.pods[string(ref.Name)]
	return p, ok
}

func (s *shelf) List(schemas.Resource, schemas.Namespace) []schemas.Object { return nil }

func (s *shelf) Owned(string) (out []schemas.Object) {
	for _, p := range s.pods {
		if metav1.IsControlledBy(p, s.rs) {
			out = append(out, p)
		}
	}
	return out
}

// Whatever happens to the pods, and whenever it is told: what is kept is what counting all
// of them anew gives, once everything was told.
func TestTallyIsTheCount(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rs := newSet(5)
		rs.Spec.MinReadySeconds = int32(rnd.IntN(2) * 10)
		now := noon
		s := &shelf{pods: map[string]*corev1.Pod{}, rs: rs}
		k := New(&cluster.Cluster{View: s, Now: func() time.Time { return now }})
		key := schemas.RefOf(schemas.ReplicaSets, rs)
		mine := k.sets.get(key, rs)
		var late []view.Change
		for range 60 {
			late = append(late, s.step(rnd, now))
			if rnd.IntN(2) == 0 {
				for _, ch := range late {
					k.Keys(ch)
				}
				late = nil
			}
			if rnd.IntN(3) == 0 {
				k.count(rs, web, mine)
			}
			now = now.Add(time.Duration(rnd.IntN(5)) * time.Second)
		}
		for _, ch := range late {
			k.Keys(ch)
		}
		after := k.count(rs, web, mine)
		all := &set{uid: rs.UID, changed: map[string]struct{}{}}
		if want := k.count(rs, web, all); after != want {
			t.Errorf("seed %d: again in %s, want %s", seed, after, want)
		}
		if got, want := mine.tally.status(rs), all.tally.status(rs); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: status = %+v, want %+v", seed, got, want)
		}
		if !maps.Equal(mine.tally.pods, all.tally.pods) || !maps.Equal(mine.tally.strays, all.tally.strays) || !maps.Equal(mine.tally.waiting, all.tally.waiting) {
			t.Fatalf("seed %d: %+v, want %+v", seed, mine.tally, all.tally)
		}
	}
}

// step makes, changes or removes one of ten pods.
func (s *shelf) step(rnd *rand.Rand, now time.Time) view.Change {
	name := fmt.Sprint("p", rnd.IntN(10))
	ch := view.Change{Ref: schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}}
	if old := s.pods[name]; old != nil {
		ch.Old = old
		if rnd.IntN(4) == 0 {
			delete(s.pods, name)
			ch.Object, ch.Old = old, nil
			return ch
		}
	}
	since := func(p *corev1.Pod) { readyFor(noon.Sub(now) + time.Duration(rnd.IntN(20))*time.Second)(p) }
	options := []option{unready, since, failed, going, labelled("app", "other"), unowned, misnamed}
	p := newPodOf(name, owned(s.rs), options[rnd.IntN(len(options))], options[rnd.IntN(len(options))])
	s.pods[name], ch.Object = p, p
	return ch
}

func owned(rs *appsv1.ReplicaSet) option {
	return func(p *corev1.Pod) {
		p.Namespace, p.OwnerReferences = rs.Namespace, []metav1.OwnerReference{kind.Ref(rs)}
	}
}

// misnamed refers to its set by uid and another name.
func misnamed(p *corev1.Pod) {
	if len(p.OwnerReferences) > 0 {
		p.OwnerReferences[0].Name = "other"
	}
}

func unowned(p *corev1.Pod) { p.OwnerReferences = nil }

// A large set's next count looks at the pods that changed, not at all.
func TestTallyReadsWhatChanged(t *testing.T) {
	rs := newSet(1000)
	s := &shelf{pods: map[string]*corev1.Pod{}, rs: rs}
	for i := range 1000 {
		p := newPodOf(fmt.Sprint("p", i), owned(rs))
		s.pods[p.Name] = p
	}
	k := New(&cluster.Cluster{View: s, Now: func() time.Time { return noon }})
	mine := k.sets.get(schemas.RefOf(schemas.ReplicaSets, rs), rs)
	k.count(rs, web, mine)
	for _, name := range slices.Sorted(maps.Keys(s.pods))[:3] {
		k.Keys(view.Change{Ref: schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}, Object: s.pods[name]})
	}
	s.read = 0
	if k.count(rs, web, mine); s.read != 3 {
		t.Errorf("%d pods were read", s.read)
	}
}
