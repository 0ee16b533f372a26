package validate

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// The most characters that an event's parts may have.
const (
	maxEventName    = 128 // reason, action and reporting instance
	maxEventMessage = 1024
)

// Event checks a new Event. An event that carries an eventTime is of the newer form
// and has to say who reports what; the older form is taken as it is.
func Event(obj schemas.Object) field.ErrorList { return create(obj, newEvent) }

// EventUpdate checks obj as the next state of old.
func EventUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, updatedEvent) }

func newEvent(e *v1.Event) field.ErrorList {
	errs := namespaced(e, apivalidation.NameIsDNSSubdomain)
	// Events about objects without a namespace live in default, or in kube-system.
	about, in := e.InvolvedObject.Namespace, e.Namespace
	match := about == in
	switch {
	case about == "":
		match = in == "" || in == metav1.NamespaceDefault || (!e.EventTime.IsZero() && in == metav1.NamespaceSystem)
	case !e.EventTime.IsZero():
		match = true
	}
	errs = append(errs, when(!match,
		field.Invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace"))...)
	if e.EventTime.IsZero() {
		return errs
	}
	return extend(errs,
		required(field.NewPath("reportingComponent"), e.ReportingController, qualified),
		eventText("reportingInstance", e.ReportingInstance, maxEventName),
		eventText("action", e.Action, maxEventName),
		eventText("reason", e.Reason, maxEventName),
		when(len(e.Message) > maxEventMessage, field.Invalid(field.NewPath("message"), "", atMost(maxEventMessage))),
	)
}

func eventText(name, value string, most int) field.ErrorList {
	p := field.NewPath(name)
	if value == "" {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	return when(len(value) > most, field.Invalid(p, "", atMost(most)))
}

func atMost(n int) string { return fmt.Sprintf("can have at most %d characters", n) }

func updatedEvent(e, old *v1.Event) field.ErrorList {
	return append(metaUpdate(e, old), newEvent(e)...)
}
