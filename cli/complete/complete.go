// Package complete is `skerry completion` and what its scripts call: candidates for
// the word at the cursor, from the model of the command line and, for names of objects,
// from the cluster.
//
// It reads the model and lists objects. What always holds: a cluster that does not
// answer yields no candidates and no message within a second.
package complete

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Script is `skerry completion`.
type Script struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run implements the command.
func (c *Script) Run(s *session.Session) error {
	s.Printf("%s", scripts()[c.Shell])
	return nil
}

// Words is the hidden command that the scripts call with the words up to the cursor,
// the last of which is the one to complete.
type Words struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// patience bounds what completing may take.
const patience = time.Second

// Run implements the command.
func (c *Words) Run(ctx context.Context, s *session.Session) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := finder{model: s.Model, objects: func(kind *schemas.Kind, ns string) []string { return names(ctx, s, kind, ns) }, table: s.Table}
	for _, w := range f.candidates(words) {
		fmt.Fprintln(s.Stdout, w)
	}
	return nil
}

// names lists objects; nothing if the cluster does not answer.
func names(ctx context.Context, s *session.Session, kind *schemas.Kind, ns string) []string {
	if ns != "" {
		s.Globals.Namespace = ns
	}
	client, err := s.Client(ctx)
	if err != nil {
		return nil
	}
	objs, _, err := target.List(ctx, client, kind, target.Query{Namespace: s.Namespace()})
	if err != nil {
		return nil
	}
	var out []string
	for _, o := range objs {
		out = append(out, o.GetName())
	}
	return out
}

// finder finds candidates.
type finder struct {
	model   *kong.Application
	table   *schemas.Table
	objects func(kind *schemas.Kind, namespace string) []string
}

// candidates returns what the last of words can become.
func (f finder) candidates(words []string) []string {
	last := words[len(words)-1]
	node, positional, pending, namespace := f.walk(words[:len(words)-1])
	var out []string
	switch {
	case pending != nil:
		out = f.values(pending)
	case strings.HasPrefix(last, "-"):
		for _, fl := range flagsOf(node) {
			out = append(out, "--"+fl.Name)
		}
	case len(node.Children) > 0 && len(positional) == 0:
		for _, ch := range node.Children {
			if !ch.Hidden {
				out = append(out, ch.Name)
			}
		}
	default:
		out = f.arguments(node, positional, last, namespace)
	}
	out = slices.DeleteFunc(out, func(w string) bool { return !strings.HasPrefix(w, last) })
	slices.Sort(out)
	return slices.Compact(out)
}

// walk follows words through the model: the command reached, its arguments so far, the flag that
// waits for its value, and the namespace that was given.
func (f finder) walk(words []string) (node *kong.Node, positional []string, pending *kong.Flag, namespace string) {
	node = f.model.Node
	for _, w := range words {
		switch {
		case pending != nil:
			if pending.Name == "namespace" {
				namespace = w
			}
			pending = nil
		case strings.HasPrefix(w, "-"):
			name, value, has := strings.Cut(w, "=")
			fl := findFlag(node, name)
			if fl == nil || fl.IsBool() {
				continue
			}
			if has && fl.Name == "namespace" {
				namespace = value
			}
			if !has {
				pending = fl
			}
		default:
			if ch := child(node, w); ch != nil && len(positional) == 0 {
				node = ch
				continue
			}
			positional = append(positional, w)
		}
	}
	return node, positional, pending, namespace
}

func child(node *kong.Node, name string) *kong.Node {
	for _, ch := range node.Children {
		if ch.Name == name || slices.Contains(ch.Aliases, name) {
			return ch
		}
	}
	return nil
}

func flagsOf(node *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for _, group := range node.AllFlags(true) {
		out = append(out, group...)
	}
	return out
}

func findFlag(node *kong.Node, word string) *kong.Flag {
	for _, fl := range flagsOf(node) {
		if word == "--"+fl.Name || fl.Short != 0 && word == "-"+string(fl.Short) {
			return fl
		}
	}
	return nil
}

// values are those of a flag.
func (f finder) values(fl *kong.Flag) []string {
	switch fl.Name {
	case "namespace":
		return f.objects(f.table.ByResource(schemas.Namespaces), "")
	case "output":
		return []string{"wide", "yaml", "json", "name", "jsonpath=", "custom-columns="}
	case "dry-run":
		return []string{"client", "server"}
	}
	return slices.Clone(fl.EnumSlice())
}
