package describe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func (p *page) events(events []*corev1.Event) {
	if len(events) == 0 {
		p.field(0, "Events", "")
		return
	}
	p.line(0, "Events:")
	p.line(1, "Type\tReason\tAge\tFrom\tMessage")
	p.line(1, "----\t------\t----\t----\t-------")
	for _, e := range events {
		from := e.Source.Component
		if from == "" {
			from = e.ReportingController
		}
		p.line(1, "%s\t%s\t%s\t%s\t%s", e.Type, e.Reason, p.eventAge(e), from, strings.TrimSpace(e.Message))
	}
}

// eventAge is "5s", or "5s (x3 over 1m)" for what happened several times.
func (p *page) eventAge(e *corev1.Event) string {
	last := p.age(LastSeen(e))
	count := int(e.Count)
	if e.Series != nil {
		count = int(e.Series.Count)
	}
	if count <= 1 {
		return last
	}
	first := e.FirstTimestamp
	if first.IsZero() {
		first.Time = e.EventTime.Time
	}
	return fmt.Sprintf("%s (x%d over %s)", last, count, p.age(first))
}
