package view

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
)

// A pod of a set, as its three writers store it.
const (
	wantedText = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"%[1]s","generateName":"big-67b4f58d64-","namespace":"default","uid":"%[2]s","generation":1,"creationTimestamp":"2026-11-29T09:23:15Z",` +
		`"labels":{"app":"big","pod-template-hash":"67b4f58d64"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"big-67b4f58d64","uid":"925bdbf3-32cc-4fc1-8254-2c98b3ca1e0b","controller":true,"blockOwnerDeletion":true}]},` +
		`"spec":{"containers":[{"name":"c","image":"example.org/app:1","resources":{},"imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":1%[3]s},"status":{}}`
	seenText = `{"metadata":{"name":"%[1]s","namespace":"default","uid":"%[2]s"},"spec":{"containers":null},"status":{"phase":"Running","observedGeneration":1,"conditions":[` +
		`{"type":"PodReadyToStartContainers","status":"True","observedGeneration":1,"lastProbeTime":null,"lastTransitionTime":"2026-11-29T09:23:16Z"},` +
		`{"type":"Initialized","status":"True","observedGeneration":1,"lastProbeTime":null,"lastTransitionTime":"2026-11-29T09:23:16Z"},` +
		`{"type":"Ready","status":"True","observedGeneration":1,"lastProbeTime":null,"lastTransitionTime":"2026-11-29T09:23:16Z"},` +
		`{"type":"ContainersReady","status":"True","observedGeneration":1,"lastProbeTime":null,"lastTransitionTime":"2026-11-29T09:23:16Z"}],` +
		`"hostIP":"198.18.3.187","hostIPs":[{"ip":"198.18.3.187"}],"podIP":"10.3.231.2","podIPs":[{"ip":"10.3.231.2"}],"startTime":"2026-11-29T09:23:16Z","qosClass":"BestEffort","containerStatuses":[` +
		`{"name":"c","state":{"running":{"startedAt":"2026-11-29T09:23:16Z"}},"lastState":{},"ready":true,"restartCount":0,"image":"example.org/app:1","imageID":"sha256:simulated","containerID":"podman://default_%[1]s_c_0","started":true}]}}`
)

func newTestView() *View {
	pods := &schemas.Kind{Resource: schemas.Pods, Version: "v1", Kind: "Pod", StatusWriter: schemas.StatusAgent, New: func() schemas.Object { return &corev1.Pod{} }}
	return &View{
		pool: share.New(), pods: true, table: schemas.NewTable(pods), log: slog.New(slog.DiscardHandler),
		objects: map[schemas.Resource]map[name]*object{}, index: newIndex(), odd: map[bus.Key]bool{}, synced: make(chan struct{}),
	}
}

// run takes in the n-th pod as it comes to run.
func (v *View) run(n int) *corev1.Pod {
	name, uid := fmt.Sprintf("big-67b4f58d64-%05d", n), fmt.Sprintf("2c520523-bef6-476b-bb39-%012d", n)
	node := schemas.NodeName(fmt.Sprintf("sim-%d", n%500))
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}
	at := store.Revision(3 * n)
	put := func(key bus.Key, text string) {
		at++
		v.take(store.Event{Entry: store.Entry{Key: key, Revision: at, Value: []byte(text)}})
	}
	put(bus.DesiredKey(ref), fmt.Sprintf(wantedText, name, uid, ""))
	put(bus.AssignedKey(node, "default", ref.Name), fmt.Sprintf(wantedText, name, uid, fmt.Sprintf(`,"nodeName":%q`, node)))
	put(bus.ObservedPodKey(node, "default", ref.Name), fmt.Sprintf(seenText, name, uid))
	obj, _ := v.Get(ref)
	pod, _ := obj.(*corev1.Pod)
	return pod
}

// BenchmarkMemory tells what a running pod costs a view in memory, and how long it takes
// to take it in.
func BenchmarkMemory(b *testing.B) {
	const pods = 20_000
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for range b.N {
		v, before, begun := newTestView(), heap(), time.Now()
		for n := range pods {
			v.run(n)
		}
		took := time.Since(begun)
		v.List(schemas.Pods, "")
		b.ReportMetric(float64(heap()-before)/pods, "B/pod")
		b.ReportMetric(float64(took.Microseconds())/pods, "µs/pod")
		runtime.KeepAlive(v)
	}
}

// TestSharedParts: what a part and the joined pod hold together stays the part's own, whatever
// others conclude meanwhile.
func TestSharedParts(t *testing.T) {
	v := newTestView()
	one, two := v.run(1), v.run(2)
	if a, b := one.Status.Conditions, two.Status.Conditions; len(a) != 5 || &a[0] != &b[0] {
		t.Errorf("equal conditions of two pods are in memory twice: %v, %v", a, b)
	}
	ref := schemas.RefOf(schemas.Pods, one)
	seen := func() *corev1.Pod {
		pod, _ := v.find(ref).stored().observed.object().(*corev1.Pod)
		return pod
	}
	if s := seen().Status; len(s.Conditions) != 4 || s.Phase != corev1.PodRunning || len(s.ContainerStatuses) != 1 {
		t.Errorf("observed: %+v", s)
	}
	current := bus.CurrentKey(ref)
	v.take(store.Event{Entry: store.Entry{Key: current, Revision: 100, Value: fmt.Appendf(nil,
		`{"metadata":{"uid":%q},"status":{"phase":"Failed","reason":"Lost","conditions":[{"type":"Ready","status":"False"}]}}`, one.UID)}})
	now, _ := v.Get(ref)
	if p, _ := now.(*corev1.Pod); p.Status.Phase != corev1.PodFailed || p.Status.Reason != "Lost" {
		t.Errorf("concluded: %+v", p.Status)
	}
	if s := seen().Status; s.Phase != corev1.PodRunning || s.Reason != "" || s.Conditions[2].Status != corev1.ConditionTrue {
		t.Errorf("observed, after a conclusion: %+v", s)
	}
	if d, _ := v.Parts(ref).Objects.Desired.(*corev1.Pod); d.Status.Phase != "" || d.Spec.NodeName != "" || d.ResourceVersion != "" {
		t.Errorf("desired: %+v", d)
	}
	v.take(store.Event{Entry: store.Entry{Key: current, Revision: 101, Deleted: true}})
	now, _ = v.Get(ref)
	if p, _ := now.(*corev1.Pod); p.Status.Phase != corev1.PodRunning || p.Status.Reason != "" || p.Status.Conditions[3].Status != corev1.ConditionTrue {
		t.Errorf("the conclusion is gone: %+v", p.Status)
	}
	if one.Status.Phase != corev1.PodRunning || one.Status.Conditions[3].Status != corev1.ConditionTrue {
		t.Errorf("what was handed out has changed: %+v", one.Status)
	}
}
