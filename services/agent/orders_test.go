//go:build linux

package agent

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestUnreadableOrder: a pod whose order is on disk, and on the bus in a form that this agent cannot read, goes on as it is.
func TestUnreadableOrder(t *testing.T) {
	for _, text := range []string{`{"spec":7}`, `{"metadata":{"name":"another","namespace":"default","uid":"u"}}`} {
		a := &agent{orders: newOrders()}
		a.Node, a.Alike = "n1", share.New()
		a.orders.keep(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u"}})
		a.orders.keep(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "gone", UID: "v"}})
		key := bus.AssignedKey("n1", "default", "web")
		if err := a.take(store.Entry{Key: key, Value: []byte(text)}); err == nil {
			t.Errorf("%s was taken", text)
		}
		a.orders.sync()
		web, _ := a.orders.Order(sandbox.Key{Namespace: "default", Name: "web"})
		gone, _ := a.orders.Order(sandbox.Key{Namespace: "default", Name: "gone"})
		if web == nil || web.UID() != "u" || gone != nil {
			t.Errorf("after %s: %v and %v", text, web, gone)
		}
	}
}
