package api

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// send renders r as a client does.
func send(t *testing.T, r *Request) *nats.Msg {
	t.Helper()
	rest, object := apart(r)
	head, err := encodeRequest(rest, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	m := nats.NewMsg("api.ann.get.pods")
	m.Header.Set(headerRequest, string(head))
	if object != "" {
		m.Header.Set(headerObject, object)
	}
	return m
}

// TestHeads: whatever the names are, requests arrive as they are, each with memory of its own.
func TestHeads(t *testing.T) {
	var h heads
	for range 2 { // unknown, and known
		for _, name := range []schemas.Name{"", "p", "a b", "a\r\nNats-Expected: 1", "x/y", " p ", "é", "q"} {
			for _, ns := range []schemas.Namespace{"", "default", "a/b", "n\n"} {
				want := &Request{
					User: "ann", Verb: VerbGet, Resource: schemas.Pods, Namespace: ns, Name: name, As: &Identity{User: "bob"},
					List: &metav1.ListOptions{Limit: 3}, Delete: &metav1.DeleteOptions{DryRun: []string{"All"}},
				}
				got, head, err := h.request(send(t, want))
				if err != nil || !reflect.DeepEqual(got, want) || head.timeout() != time.Second {
					t.Fatalf("%+v came as %+v, %v", want, got, err)
				}
				got.List.Limit, got.Delete.DryRun[0] = 7, "None"
			}
		}
	}
	for i := range 2 * knownHeads {
		if _, err := h.read(fmt.Sprintf(`{"fieldManager":"m%d"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.known) > knownHeads {
		t.Errorf("%d heads are kept", len(h.known))
	}
	if _, err := h.read("{"); err == nil {
		t.Error("half a head was read")
	}
	if _, _, err := h.request(nats.NewMsg("api.ann")); err == nil {
		t.Error("a subject without a verb")
	}
}

func BenchmarkHead(b *testing.B) {
	var h heads
	rest, object := apart(&Request{
		As: &Identity{User: "admin", Groups: []string{"system:masters", "system:authenticated"}}, Namespace: "default", Name: "web", List: &metav1.ListOptions{},
	})
	head, err := encodeRequest(rest, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	m := nats.NewMsg("api.ann.get.pods")
	m.Header.Set(headerRequest, string(head))
	m.Header.Set(headerObject, object)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.request(m); err != nil {
			b.Fatal(err)
		}
	}
}
