// Package table turns answers into tables, as `kubectl get` asks for them, and into
// metadata alone. Pure but for the clock that ages are counted by.
//
// It reads a kind's columns and the JSON of objects and lists. What always holds: a list's
// metadata stays; each row has as many cells as there are columns.
package table

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/schemas"
)

// whole is an object or a list, as far as it is read here.
type whole struct {
	Kind       string            `json:"kind"`
	APIVersion string            `json:"apiVersion"`
	Metadata   json.RawMessage   `json:"metadata"`
	Items      []json.RawMessage `json:"items"`
}

func (w *whole) isList() bool { return w.Items != nil }

func parse(body []byte) (*whole, error) {
	var w whole
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &w, nil
}

// Render returns the Table of an object or a list of k. A Status stays as it is.
func Render(k *schemas.Kind, body []byte, include metav1.IncludeObjectPolicy) ([]byte, error) {
	w, err := parse(body)
	if err != nil || w.Kind == "Status" {
		return body, err
	}
	t := blank(k)
	items := w.Items
	if w.isList() {
		if err := json.Unmarshal(w.Metadata, &t.ListMeta); err != nil {
			return nil, fmt.Errorf("read list: %w", err)
		}
	} else {
		items = []json.RawMessage{body}
	}
	now := time.Now()
	t.Rows = make([]metav1.TableRow, 0, len(items))
	for _, raw := range items {
		r, version, err := row(k, raw, include, now)
		if err != nil {
			return nil, err
		}
		if !w.isList() {
			t.ResourceVersion = version
		}
		t.Rows = append(t.Rows, r)
	}
	return json.Marshal(t)
}

// Row returns the Table of one object of a watch. Columns come with the first one only.
func Row(k *schemas.Kind, raw []byte, include metav1.IncludeObjectPolicy, first bool) ([]byte, error) {
	t := blank(k)
	if !first {
		t.ColumnDefinitions = nil
	}
	w, err := parse(raw)
	if err != nil {
		return nil, err
	}
	r, version, err := row(k, raw, include, time.Now())
	if err != nil {
		return nil, err
	}
	t.ResourceVersion = version
	if bookmark(w.Metadata) {
		// A bookmark has no object; its metadata is what counts.
		r = metav1.TableRow{Cells: make([]any, len(columns(k))), Object: r.Object}
	}
	t.Rows = []metav1.TableRow{r}
	return json.Marshal(t)
}

// bookmark tells whether these are the metadata of one: it has no name.
func bookmark(meta json.RawMessage) bool {
	var m struct{ Name string }
	return json.Unmarshal(meta, &m) == nil && m.Name == ""
}

func blank(k *schemas.Kind) *metav1.Table {
	t := &metav1.Table{TypeMeta: metav1.TypeMeta{Kind: "Table", APIVersion: "meta.k8s.io/v1"}}
	for _, c := range columns(k) {
		d := metav1.TableColumnDefinition{Name: title(c.Name), Type: "string"}
		if c.Name == "NAME" {
			d.Format = "name"
		}
		if c.Wide {
			d.Priority = 1
		}
		t.ColumnDefinitions = append(t.ColumnDefinitions, d)
	}
	return t
}

// columns are k's, or those that every kind has.
func columns(k *schemas.Kind) []schemas.Column {
	if len(k.Columns) > 0 {
		return k.Columns
	}
	return []schemas.Column{
		{Name: "NAME", Value: func(o schemas.Object, _ time.Time) string { return o.GetName() }},
		{Name: "CREATED AT", Value: func(o schemas.Object, _ time.Time) string {
			return o.GetCreationTimestamp().UTC().Format(time.RFC3339)
		}},
	}
}

// title writes a column's name as the API does: "Up-to-date", "Last Seen", "Internal-IP".
func title(name string) string {
	words := strings.Split(name, " ")
	for i, w := range words {
		parts := strings.Split(w, "-")
		for j, p := range parts {
			switch {
			case p == "IP" || p == "OS":
			case j == 0 && p != "":
				parts[j] = p[:1] + strings.ToLower(p[1:])
			default:
				parts[j] = strings.ToLower(p)
			}
		}
		words[i] = strings.Join(parts, "-")
	}
	return strings.Join(words, " ")
}

func row(k *schemas.Kind, raw []byte, include metav1.IncludeObjectPolicy, now time.Time) (metav1.TableRow, string, error) {
	obj := k.New()
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, obj); err != nil {
		return metav1.TableRow{}, "", fmt.Errorf("read %s: %w", k.Singular, err)
	}
	r := metav1.TableRow{}
	for _, c := range columns(k) {
		r.Cells = append(r.Cells, c.Value(obj, now))
	}
	switch include {
	case metav1.IncludeObject:
		r.Object = runtime.RawExtension{Raw: raw}
	case metav1.IncludeMetadata:
		p, err := Partial(raw)
		if err != nil {
			return r, "", err
		}
		r.Object = runtime.RawExtension{Raw: p}
	}
	return r, obj.GetResourceVersion(), nil
}

// partial is a PartialObjectMetadata that passes the metadata on as they are.
type partial struct {
	Kind       string          `json:"kind"`
	APIVersion string          `json:"apiVersion"`
	Metadata   json.RawMessage `json:"metadata"`
}

// Partial returns the metadata of an object or a list alone. A Status stays as it is.
func Partial(body []byte) ([]byte, error) {
	w, err := parse(body)
	if err != nil || w.Kind == "Status" {
		return body, err
	}
	const version = "meta.k8s.io/v1"
	if !w.isList() {
		return json.Marshal(partial{"PartialObjectMetadata", version, w.Metadata})
	}
	items := make([]partial, 0, len(w.Items))
	for _, raw := range w.Items {
		one, err := parse(raw)
		if err != nil {
			return nil, err
		}
		items = append(items, partial{"PartialObjectMetadata", version, one.Metadata})
	}
	return json.Marshal(struct {
		partial
		Items []partial `json:"items"`
	}{partial{"PartialObjectMetadataList", version, w.Metadata}, items})
}
