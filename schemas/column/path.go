package column

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"

	"github.com/skerry/skerry/schemas"
)

// Untyped are the columns of kinds that have none of their own.
func Untyped() []schemas.Column { return []schemas.Column{name(), age()} }

// Path makes a column of what a JSONPath (".spec.colour") finds in unstructured objects; nothing
// there is an empty cell. A date is shown as how long ago it is.
func Path(title, path string, date bool) (schemas.Column, error) {
	find := jsonpath.New(title).AllowMissingKeys(true)
	if err := find.Parse("{" + path + "}"); err != nil {
		return schemas.Column{}, fmt.Errorf("read the path of column %s: %w", title, err)
	}
	var mu sync.Mutex
	value := func(obj schemas.Object, now time.Time) string {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return "<unknown>"
		}
		mu.Lock() // a path notes where it is while it looks
		text := found(find, u.Object)
		mu.Unlock()
		if !date {
			return text
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return "<unknown>"
		}
		return since(metav1.Time{Time: t}, now)
	}
	return schemas.Column{Name: title, Path: path, Date: date, Value: value}, nil
}

func found(path *jsonpath.JSONPath, obj map[string]any) string {
	results, err := path.FindResults(obj)
	if err != nil || len(results) == 0 {
		return ""
	}
	var text bytes.Buffer
	if err := path.PrintResults(&text, results[0]); err != nil {
		return ""
	}
	return text.String()
}
