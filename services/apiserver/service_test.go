package apiserver_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver"
)

func event(reason, message string) *v1.Event {
	return &v1.Event{
		TypeMeta: metav1.TypeMeta{Kind: "Event", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{GenerateName: "p-", Namespace: "default"},
		InvolvedObject: v1.ObjectReference{Kind: "Pod", Name: "p", Namespace: "default", APIVersion: "v1"},
		Type:           "Normal", Reason: reason, Message: message, Source: v1.EventSource{Component: "agent", Host: "n1"},
	}
}

func TestEventsCountUp(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	agent, c := cl.client(t, bus.NodeUser("n1")), cl.client(t, "admin")
	for range 5 {
		must(agent.Create(ctx(t), schemas.Events, event("Pulled", "image is there")))(t)
	}
	must(agent.Create(ctx(t), schemas.Events, event("Started", "container c")))(t)
	objs, rv, err := c.List(ctx(t), schemas.Events, "default", metav1.ListOptions{FieldSelector: "involvedObject.name=p,involvedObject.kind=Pod"})
	if err != nil || len(objs) != 2 {
		t.Fatalf("%d events, %v", len(objs), err)
	}
	for _, o := range objs {
		e := as[*v1.Event](t, o)
		if e.Reason == "Pulled" && e.Count != 5 || e.Reason == "Started" && e.Count != 1 || e.FirstTimestamp.IsZero() || e.LastTimestamp.IsZero() {
			t.Errorf("%+v", e)
		}
		ref := schemas.RefOf(schemas.Events, e)
		if got := must(c.Get(ctx(t), ref))(t); got.GetResourceVersion() != e.ResourceVersion {
			t.Errorf("get: %+v", got)
		}
	}
	wctx, cancel := context.WithCancel(ctx(t))
	seen := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Watch(wctx, schemas.Events, "default", metav1.ListOptions{ResourceVersion: rv}, func(what string, obj schemas.Object) error {
			seen <- what + " " + as[*v1.Event](t, obj).Reason
			return nil
		})
	}()
	must(agent.Create(ctx(t), schemas.Events, event("Started", "container c")))(t)
	if got := <-seen; got != "MODIFIED Started" {
		t.Errorf("watched %s", got)
	}
	cancel()
	<-done
	foreign := event("Pulled", "x")
	foreign.Source.Host = "n2"
	if _, err := agent.Create(ctx(t), schemas.Events, foreign); !apierrors.IsForbidden(err) {
		t.Errorf("another node's event: %v", err)
	}
}

func TestAgentSeesOnlyItsOwn(t *testing.T) {
	cl, c := one(t)
	agent := cl.client(t, bus.NodeUser("n1"))
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"kubernetes.io/hostname": "n1"}}}
	must(agent.Create(ctx(t), schemas.Nodes, node))(t)
	node.Name = "n2"
	if _, err := agent.Create(ctx(t), schemas.Nodes, node); !apierrors.IsForbidden(err) {
		t.Errorf("another node: %v", err)
	}
	p := pod("p")
	p.Spec.Containers[0].EnvFrom = []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "mine"}}}}
	stored := as[*v1.Pod](t, must(c.Create(ctx(t), schemas.Pods, p))(t))
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("mine")))(t)
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("other")))(t)
	if _, err := agent.Get(ctx(t), cmRef("mine")); !apierrors.IsForbidden(err) {
		t.Errorf("before the pod is placed: %v", err)
	}
	cl.place(t, stored, "n1")
	must(agent.Get(ctx(t), cmRef("mine")))(t)
	if _, err := agent.Get(ctx(t), cmRef("other")); !apierrors.IsForbidden(err) {
		t.Errorf("another ConfigMap: %v", err)
	}
	entries, rev, err := agent.StateLister().List(ctx(t), bus.AssignedFilter("n1"), bus.ObservedFilter("n1"))
	if err != nil || len(entries) != 1 || rev == 0 || !strings.Contains(string(entries[0].Value), `"name":"p"`) {
		t.Errorf("state: %v %v", entries, err)
	}
	if _, _, err := agent.StateLister().List(ctx(t), bus.AssignedFilter("n2")); !apierrors.IsForbidden(err) {
		t.Errorf("another's state: %v", err)
	}
	asker, ok := agent.StateLister().(store.Asker)
	if !ok {
		t.Fatal("it cannot be asked for what is newer")
	}
	order := entries[0].Revision
	if newer, last, err := asker.Newer(ctx(t), order-1, bus.AssignedFilter("n1")); newer != order || last < rev || err != nil {
		t.Errorf("newer than %d: %d of %d, %v", order-1, newer, last, err)
	}
	if newer, last, err := asker.Newer(ctx(t), order, bus.AssignedFilter("n1")); newer != 0 || last < rev || err != nil {
		t.Errorf("newer than %d: %d of %d, %v", order, newer, last, err)
	}
	if _, _, err := asker.Newer(ctx(t), order, bus.AssignedFilter("n2")); !apierrors.IsForbidden(err) {
		t.Errorf("whether another's state is newer: %v", err)
	}
}

func TestJoin(t *testing.T) {
	authority, err := identity.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.NodeSigner()
	if err != nil {
		t.Fatal(err)
	}
	cl := newCluster(t)
	conn := cl.bus.Conn(t, "system:apiserver")
	runCtx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- apiserver.Run(runCtx, conn, apiserver.Config{ID: "a", Table: cl.table, NodeSigner: signer})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	cl.awaitNamespace(t, "default")
	key, _, err := identity.NewNodeKey()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(node schemas.NodeName, body string) (answer struct {
		metav1.Status
		JWT string `json:"jwt"`
	}) {
		asker := cl.bus.Conn(t, "joiner")
		eventually(t, func() error {
			data, err := asker.Request(ctx(t), bus.JoinSubject(node), []byte(body))
			if err != nil {
				return err
			}
			return json.Unmarshal(data, &answer)
		})
		return answer
	}
	if got := ask("n1", `{"publicKey":"`+key+`"}`); got.JWT == "" {
		t.Errorf("refused: %+v", got.Status)
	}
	for node, body := range map[schemas.NodeName]string{"n1": `{}`, "n2": `{"publicKey":"rubbish"}`, "Bad_Name": `{"publicKey":"` + key + `"}`} {
		if got := ask(node, body); got.JWT != "" || got.Code != 400 {
			t.Errorf("%s %s: %+v", node, body, got)
		}
	}
}

func TestWritesAreAudited(t *testing.T) {
	cl, c := one(t)
	records := make(chan []byte, 10)
	conn := cl.bus.Conn(t, "auditor")
	rctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conn.Respond(rctx, bus.AuditSubject("admin", "create"), "test", 1, func(_ context.Context, _ string, data []byte) []byte {
			records <- data
			return nil
		})
	}()
	defer func() { cancel(); <-done }()
	i := 0
	eventually(t, func() error {
		i++
		_, err := c.Create(ctx(t), schemas.ConfigMaps, configMap("a"))
		if i == 1 && err != nil {
			return err
		}
		select {
		case data := <-records:
			var r struct{ User, Verb, Object string }
			if err := json.Unmarshal(data, &r); err != nil || r.User != "admin" || r.Object != "configmaps default/a" {
				t.Errorf("record %s, %v", data, err)
			}
			return nil
		default:
			return context.DeadlineExceeded
		}
	})
}
