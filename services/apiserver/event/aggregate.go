package event

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Name returns the name under which e is kept: events that say the same have the same.
func Name(e *v1.Event) string {
	o := e.InvolvedObject
	o.ResourceVersion = ""
	// Plain strings: cannot fail.
	key, _ := json.Marshal([]any{o, e.Type, e.Reason, e.Message, e.Source, e.ReportingController, e.ReportingInstance})
	sum := sha256.Sum256(key)
	name := o.Name
	if len(name) > 200 {
		name = name[:200]
	}
	if name == "" {
		name = "event"
	}
	return fmt.Sprintf("%s.%s", name, hex.EncodeToString(sum[:8]))
}

// merge counts e into last, the stored event that says the same.
func merge(last, e *v1.Event, now time.Time) *v1.Event {
	next := last.DeepCopy()
	next.Count = max(last.Count, 1) + max(e.Count, 1)
	next.LastTimestamp = e.LastTimestamp
	if next.LastTimestamp.IsZero() {
		next.LastTimestamp = metav1.Time{Time: now}.Rfc3339Copy()
	}
	next.InvolvedObject.ResourceVersion = e.InvolvedObject.ResourceVersion
	return next
}

// first completes an event that says something new.
func first(e *v1.Event, now time.Time) *v1.Event {
	next := e.DeepCopy()
	next.Count = max(next.Count, 1)
	at := metav1.Time{Time: now}.Rfc3339Copy()
	if !next.EventTime.IsZero() {
		return next
	}
	if next.FirstTimestamp.IsZero() {
		next.FirstTimestamp = at
	}
	if next.LastTimestamp.IsZero() {
		next.LastTimestamp = next.FirstTimestamp
	}
	return next
}
