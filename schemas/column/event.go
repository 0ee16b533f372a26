package column

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// Event returns the columns of events. The name comes last and only when wide.
func Event() []schemas.Column {
	event := func(name string, value func(e *corev1.Event) string) schemas.Column {
		return column(name, func(e *corev1.Event, _ time.Time) string { return value(e) })
	}
	nameLast := name()
	nameLast.Wide = true
	detail := wide(
		event("SUBOBJECT", func(e *corev1.Event) string { return e.InvolvedObject.FieldPath }),
		event("SOURCE", source),
		column("FIRST SEEN", firstSeen),
		event("COUNT", count),
	)
	return []schemas.Column{
		column("LAST SEEN", lastSeen),
		event("TYPE", func(e *corev1.Event) string { return e.Type }),
		event("REASON", func(e *corev1.Event) string { return e.Reason }),
		event("OBJECT", object),
		detail[0], detail[1],
		event("MESSAGE", func(e *corev1.Event) string { return strings.TrimSpace(e.Message) }),
		detail[2], detail[3],
		nameLast,
	}
}

func firstSeen(e *corev1.Event, now time.Time) string {
	if e.FirstTimestamp.IsZero() {
		return sinceMicro(e.EventTime, now)
	}
	return since(e.FirstTimestamp, now)
}

func lastSeen(e *corev1.Event, now time.Time) string {
	switch {
	case e.Series != nil:
		return sinceMicro(e.Series.LastObservedTime, now)
	case e.LastTimestamp.IsZero():
		return firstSeen(e, now)
	}
	return since(e.LastTimestamp, now)
}

func count(e *corev1.Event) string {
	if e.Series != nil {
		return number(e.Series.Count)
	}
	return number(max(e.Count, 1))
}

func object(e *corev1.Event) string {
	kind := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name == "" {
		return kind
	}
	return kind + "/" + e.InvolvedObject.Name
}

func source(e *corev1.Event) string {
	component, instance := e.Source.Component, e.Source.Host
	if component == "" {
		component, instance = e.ReportingController, e.ReportingInstance
	}
	if instance == "" {
		return component
	}
	return component + ", " + instance
}
