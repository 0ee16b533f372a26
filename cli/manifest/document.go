package manifest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/decode"
)

// Document is one object of a manifest, ready to be sent: valid, with its namespace.
type Document struct {
	Kind   *schemas.Kind
	Object schemas.Object
	// Content is the object as written, and its namespace.
	Content map[string]any
	File    string

	source   decode.Document
	warnings []schemas.Warning
}

// Read reads and checks all documents of all files. Errors are those of every document
// at once, with positions.
func Read(ctx context.Context, s *session.Session, f Flags) ([]Document, error) {
	inputs, unread := f.read(s)
	var docs []Document
	var bad decode.Errors
	for _, in := range inputs {
		got, err := readInput(ctx, s, in)
		var errs decode.Errors
		if errors.As(err, &errs) {
			bad = append(bad, errs...)
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, got...)
	}
	if len(bad) > 0 {
		return nil, errors.Join(unread, bad)
	}
	if unread != nil {
		return nil, unread
	}
	if len(docs) == 0 {
		return nil, errors.New("no objects passed")
	}
	return docs, nil
}

func readInput(ctx context.Context, s *session.Session, in input) ([]Document, error) {
	decoded, err := decode.Manifests(s.Table, in.name, in.data)
	var bad decode.Errors
	if errors.As(err, &bad) && bad.UnknownKinds() {
		if more, _ := s.Learn(ctx); more { // else the errors say what is unknown
			bad = nil
			decoded, err = decode.Manifests(s.Table, in.name, in.data)
		}
	}
	if err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	var docs []Document
	for _, d := range decoded {
		doc, err := prepare(s, d)
		var errs decode.Errors
		if errors.As(err, &errs) {
			bad = append(bad, errs...)
			continue
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	if len(bad) > 0 {
		return docs, bad
	}
	return docs, nil
}

// prepare fills in the namespace and checks the object by its kind's rules, with
// defaults filled in, as the server will.
func prepare(s *session.Session, d decode.Document) (Document, error) {
	doc := Document{Kind: d.Kind, Object: d.Object, File: d.Source, source: d}
	doc.warnings = schemas.Warnings(d.Kind, d.Object)
	if err := json.Unmarshal(d.Raw, &doc.Content); err != nil {
		return doc, fmt.Errorf("read %s: %w", d.Source, err)
	}
	if err := doc.setNamespace(s); err != nil {
		return doc, err
	}
	checked := d.Object.DeepCopyObject().(schemas.Object)
	if checked.GetName() == "" && checked.GetGenerateName() != "" {
		checked.SetName(checked.GetGenerateName() + "x")
	}
	if d.Kind.Default != nil {
		d.Kind.Default(checked)
	}
	if d.Kind.Validate == nil {
		return doc, nil
	}
	if list := d.Kind.Validate(checked); len(list) > 0 {
		return doc, decode.Locate(d, list)
	}
	return doc, nil
}

func (d *Document) setNamespace(s *session.Session) error {
	flag, own := s.Globals.Namespace, d.Object.GetNamespace()
	switch {
	case !d.Kind.Namespaced:
		return nil
	case own != "" && flag != "" && own != flag:
		return decode.Errors{d.source.At("metadata.namespace", fmt.Sprintf(
			"the namespace from the provided object %q does not match the namespace %q. You must pass '--namespace=%s' to perform this operation.", own, flag, own))}
	case own != "":
		return nil
	}
	ns := string(s.Namespace())
	d.Object.SetNamespace(ns)
	meta, ok := d.Content["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		d.Content["metadata"] = meta
	}
	meta["namespace"] = ns
	return nil
}

// Select keeps the documents whose labels match.
func Select(docs []Document, selector string) ([]Document, error) {
	sel, err := labels.Parse(selector)
	if err != nil {
		return nil, failure.AsUsage(fmt.Errorf("read selector: %w", err))
	}
	return slices.DeleteFunc(docs, func(d Document) bool { return !sel.Matches(labels.Set(d.Object.GetLabels())) }), nil
}

// Warn prints a warning for each field that is not acted on.
func Warn(s *session.Session, docs []Document) {
	for _, d := range docs {
		for _, w := range d.warnings {
			line, col := d.source.Position(w.Path)
			s.Warnf("%s:%d:%d: %s", d.File, line, col, w)
		}
	}
}

// WarnServer prints the server's warnings but those that Warn has printed.
func (d Document) WarnServer(s *session.Session, warnings []string) {
	for _, text := range warnings {
		if !slices.ContainsFunc(d.warnings, func(w schemas.Warning) bool { return w.String() == text }) {
			s.Warnf("%s", text)
		}
	}
}

// Item names the document's object.
func (d Document) Item() target.Item {
	return target.Item{Kind: d.Kind, Name: schemas.Name(d.Object.GetName()), Namespace: schemas.Namespace(d.Object.GetNamespace())}
}

// Ref names the document's object with its namespace.
func (d Document) Ref() schemas.Ref { return schemas.RefOf(d.Kind.Resource, d.Object) }

// Found is the document as if it had been fetched.
func (d Document) Found() target.Found { return target.Found{Kind: d.Kind, Object: d.Object} }

// Label is "deployment.apps/web".
func (d Document) Label() string { return target.Label(d.Kind, d.Object.GetName()) }

// Where is "web.yaml:12:1", where the document begins.
func (d Document) Where() string {
	line, col := d.source.Position("")
	return fmt.Sprintf("%s:%d:%d", d.File, line, col)
}

// Locate turns what the server finds invalid into errors with positions in the
// manifest. Other errors stay as they are.
func (d Document) Locate(err error) error {
	var api apierrors.APIStatus
	if !errors.As(err, &api) || api.Status().Reason != metav1.StatusReasonInvalid || api.Status().Details == nil {
		return err
	}
	var located decode.Errors
	for _, c := range api.Status().Details.Causes {
		located = append(located, d.source.At(c.Field, c.Message))
	}
	if len(located) == 0 {
		return err
	}
	return located
}
