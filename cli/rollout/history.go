package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

const (
	annotationRevision    = "deployment.kubernetes.io/revision"
	annotationChangeCause = "kubernetes.io/change-cause"
)

// Entry is one line of a history: a state that can be gone back to.
type Entry struct {
	Number int64
	// Content is the desired object of that revision.
	Content map[string]any
	Cause   string
	Deleted bool
	Current bool
}

// History numbers the kept states of an object, oldest first. Deployments have the
// numbers that their ReplicaSets have; other kinds' are those of the history.
func History(kind *schemas.Kind, kept []api.Revision) ([]Entry, error) {
	entries := make([]Entry, 0, len(kept))
	for _, r := range kept {
		e := Entry{Number: r.Number, Deleted: r.Deleted, Current: r.Current}
		if err := json.Unmarshal(r.Object, &e.Content); err != nil {
			return nil, fmt.Errorf("read revision %d: %w", r.Number, err)
		}
		u := unstructured.Unstructured{Object: e.Content}
		e.Cause = u.GetAnnotations()[annotationChangeCause]
		entries = append(entries, e)
	}
	if kind.Resource == schemas.Deployments {
		return deploymentHistory(entries), nil
	}
	return distinct(entries), nil
}

// deploymentHistory groups consecutive states with the same template. A group has
// the number that the controller wrote when it rolled out; a group whose number is no
// higher than one before never rolled out. A template that came back has only its
// newest number, as in kubectl.
func deploymentHistory(states []Entry) []Entry {
	var out []Entry
	highest := int64(0)
	for first := 0; first < len(states); {
		last := first
		for last+1 < len(states) && sameTemplate(states[first], states[last+1]) {
			last++
		}
		e := merged(states[first : last+1])
		e.Number = revisionOf(e.Content)
		first = last + 1
		if e.Number <= highest {
			continue
		}
		highest = e.Number
		out = slices.DeleteFunc(out, func(old Entry) bool { return sameTemplate(old, e) })
		out = append(out, e)
	}
	return out
}

// distinct drops states that differ from the one before in nothing that a user wrote, and
// numbers by their place what several objects of one name left.
func distinct(states []Entry) []Entry {
	var out []Entry
	for first := 0; first < len(states); {
		last := first
		for last+1 < len(states) && reflect.DeepEqual(payload(states[first].Content), payload(states[last+1].Content)) {
			last++
		}
		out = append(out, merged(states[first:last+1]))
		first = last + 1
	}
	for i := range out {
		if i > 0 && out[i].Number <= out[i-1].Number || out[i].Number == 0 {
			return renumber(out)
		}
	}
	return out
}

func renumber(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Number = int64(i + 1)
	}
	return entries
}

// merged is the last state of a group: its annotations are the newest.
func merged(group []Entry) Entry { return group[len(group)-1] }

func revisionOf(content map[string]any) int64 {
	u := unstructured.Unstructured{Object: content}
	n, err := strconv.ParseInt(u.GetAnnotations()[annotationRevision], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func template(content map[string]any) any {
	t, _, _ := unstructured.NestedFieldNoCopy(content, "spec", "template")
	return t
}

func sameTemplate(a, b Entry) bool {
	return reflect.DeepEqual(template(a.Content), template(b.Content))
}

// payload is what undo brings back: everything but metadata and status.
func payload(content map[string]any) map[string]any {
	p := map[string]any{}
	for k, v := range content {
		if k != "metadata" && k != "status" && k != "apiVersion" && k != "kind" {
			p[k] = v
		}
	}
	return p
}

// Pick finds the revision to go back to: number, or with 0 the one before the
// newest; a deleted object goes back to its last state.
func Pick(entries []Entry, number int64) (Entry, error) {
	if len(entries) == 0 {
		return Entry{}, fmt.Errorf("no rollout history found")
	}
	newest := entries[len(entries)-1]
	switch {
	case number == 0 && newest.Deleted:
		return newest, nil
	case number == 0 && len(entries) == 1:
		return Entry{}, fmt.Errorf("no rollout history found: there is only revision %d", newest.Number)
	case number == 0:
		return entries[len(entries)-2], nil
	}
	return find(entries, number)
}

func find(entries []Entry, number int64) (Entry, error) {
	for _, e := range entries {
		if e.Number == number {
			return e, nil
		}
	}
	var there []string
	for _, e := range entries {
		there = append(there, strconv.FormatInt(e.Number, 10))
	}
	return Entry{}, fmt.Errorf("unable to find specified revision %d in history; there are %s", number, strings.Join(there, ", "))
}

// object makes the typed object that content describes.
func object(kind *schemas.Kind, content map[string]any) (schemas.Object, error) {
	obj := kind.New()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, obj); err != nil {
		return nil, fmt.Errorf("read %s: %w", kind.Kind, err)
	}
	return obj, nil
}
