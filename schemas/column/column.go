// Package column renders the columns of `get` for each kind: kubectl's names,
// order and wording, so that scripts and eyes need not relearn.
//
// It reads objects and the time that it is given, and writes nothing. What always
// holds: a cell is the one that kubectl would show of the same object.
package column

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/skerry/skerry/schemas"
)

// column makes a printer column from a function of the kind's own type. Objects of
// another type (unstructured ones) render as <unknown>.
func column[T schemas.Object](name string, value func(obj T, now time.Time) string) schemas.Column {
	return schemas.Column{Name: name, Value: func(obj schemas.Object, now time.Time) string {
		typed, ok := obj.(T)
		if !ok {
			return "<unknown>"
		}
		return value(typed, now)
	}}
}

// wide marks columns as only for -o wide.
func wide(columns ...schemas.Column) []schemas.Column {
	for i := range columns {
		columns[i].Wide = true
	}
	return columns
}

func name() schemas.Column {
	return schemas.Column{Name: "NAME", Value: func(obj schemas.Object, _ time.Time) string { return obj.GetName() }}
}

func age() schemas.Column {
	return schemas.Column{Name: "AGE", Value: func(obj schemas.Object, now time.Time) string {
		return since(obj.GetCreationTimestamp(), now)
	}}
}

// since renders how long ago t was as kubectl does: "5m", "3d4h", "<unknown>".
func since(t metav1.Time, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t.Time))
}

func sinceMicro(t metav1.MicroTime, now time.Time) string { return since(metav1.Time(t), now) }

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "<unknown>"
	}
	return s
}
