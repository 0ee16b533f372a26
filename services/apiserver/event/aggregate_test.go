package event

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSameThingSameName(t *testing.T) {
	base := v1.Event{InvolvedObject: v1.ObjectReference{Kind: "Pod", Name: "p", ResourceVersion: "1"}, Reason: "Pulled", Message: "m", Source: v1.EventSource{Component: "agent"}}
	later := base
	later.InvolvedObject.ResourceVersion, later.Name = "2", "x"
	if Name(&base) != Name(&later) {
		t.Error("the object's resourceVersion makes a difference")
	}
	for what, change := range map[string]func(*v1.Event){
		"object":  func(e *v1.Event) { e.InvolvedObject.Name = "q" },
		"reason":  func(e *v1.Event) { e.Reason = "Started" },
		"message": func(e *v1.Event) { e.Message = "n" },
		"source":  func(e *v1.Event) { e.Source.Host = "n1" },
		"type":    func(e *v1.Event) { e.Type = "Warning" },
	} {
		other := base
		change(&other)
		if Name(&base) == Name(&other) {
			t.Errorf("another %s makes no difference", what)
		}
	}
}

func TestMergeCounts(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	one := first(&v1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e"}}, now)
	if one.Count != 1 || !one.FirstTimestamp.Time.Equal(now) || !one.LastTimestamp.Time.Equal(now) {
		t.Errorf("first: %+v", one)
	}
	two := merge(one, &v1.Event{Count: 3}, now.Add(time.Minute))
	if two.Count != 4 || !two.FirstTimestamp.Time.Equal(now) || !two.LastTimestamp.Time.Equal(now.Add(time.Minute)) || one.Count != 1 {
		t.Errorf("merged: %+v", two)
	}
}
