package manifest

import (
	"context"
	"errors"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Want asks for the objects that the files describe or, without files, that args name:
// never both.
func (f Flags) Want(ctx context.Context, s *session.Session, args []string) (target.Want, error) {
	if len(f.Filename) == 0 {
		return named(ctx, s, args)
	}
	if len(args) > 0 {
		return target.Want{}, failure.Usage("name objects by file or by argument, not both")
	}
	docs, err := Read(ctx, s, f)
	if err != nil {
		return target.Want{}, err
	}
	var w target.Want
	for _, d := range docs {
		w.Items = append(w.Items, d.Item())
		w.Multiple = w.Multiple || d.Kind != docs[0].Kind
	}
	return w, nil
}

// named reads args. What the table lacks the apiserver may have.
func named(ctx context.Context, s *session.Session, args []string) (target.Want, error) {
	w, err := target.Parse(s.Table, args)
	var unknown target.UnknownType
	if !errors.As(err, &unknown) {
		return w, err
	}
	if more, failed := s.Learn(ctx); !more {
		return w, errors.Join(err, failed)
	}
	return target.Parse(s.Table, args)
}

// Named is Want for commands that are about objects with names.
func (f Flags) Named(ctx context.Context, s *session.Session, args []string) (target.Want, error) {
	w, err := f.Want(ctx, s, args)
	if err == nil && len(w.Items) == 0 {
		err = failure.Usage("an object must be named, as type/name")
	}
	return w, err
}

// Chosen is Want for commands that change or await what they are told: all objects of a type
// only if all, or one of the selectors, says so.
func (f Flags) Chosen(ctx context.Context, s *session.Session, args []string, all bool, selectors ...string) (target.Want, error) {
	w, err := f.Want(ctx, s, args)
	for _, selector := range selectors {
		all = all || selector != ""
	}
	if err == nil && len(w.Kinds) > 0 && !all {
		err = failure.Usage("resource(s) were provided, but no name was specified; --all means all of them")
	}
	return w, err
}
