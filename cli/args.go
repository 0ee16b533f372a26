package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// arrange rewrites a command line in kubectl's habits into one that kong reads: flags may
// stand between arguments, a value may begin with a dash, and "-o=yaml" is "-o yaml".
// What follows "--" belongs to the command in the container. What is not known stays
// as it is, for kong to complain about.
func arrange(model *kong.Application, args []string) []string {
	a := arranger{node: model.Node}
	for i := 0; i < len(args); i++ {
		word := args[i]
		switch {
		case word == "--":
			return append(a.result(), args[i:]...)
		case len(word) < 2 || word[0] != '-':
			a.argument(word)
		default:
			fl := a.flag(word)
			switch {
			case fl != nil && i+1 < len(args):
				i++
				a.flags = append(a.flags, "--"+fl.Name+"="+args[i])
			case fl != nil:
				a.arguments = append(a.arguments, word) // its value is missing: kong says so
			}
		}
	}
	return a.result()
}

// arranger collects the parts of a command line.
type arranger struct {
	node                   *kong.Node
	path, flags, arguments []string
}

func (a *arranger) result() []string {
	if d := a.node.DefaultCmd; d != nil && len(a.flags)+len(a.arguments) > 0 && !slices.Contains(a.flags, "--help") && !slices.Contains(a.flags, "-h") {
		a.path = append(a.path, d.Name)
	}
	return slices.Concat(a.path, a.flags, a.arguments)
}

func (a *arranger) argument(word string) {
	if len(a.arguments) == 0 {
		for _, ch := range a.node.Children {
			if ch.Name == word || slices.Contains(ch.Aliases, word) {
				a.node = ch
				a.path = append(a.path, word)
				return
			}
		}
	}
	a.arguments = append(a.arguments, word)
}

// flag takes a word that is a flag. It returns the flag if its value is the next word.
func (a *arranger) flag(word string) *kong.Flag {
	if strings.HasPrefix(word, "--") {
		word = a.shadowed(word)
		fl := a.find(func(f *kong.Flag) bool { return "--"+f.Name == word })
		if fl != nil && !fl.IsBool() && !fl.IsCounter() {
			return fl
		}
		a.flags = append(a.flags, word)
		return nil
	}
	for i, letter := range word[1:] {
		fl := a.find(func(f *kong.Flag) bool { return f.Short == letter })
		rest := word[1+i+len(string(letter)):]
		switch {
		case fl == nil:
			a.flags = append(a.flags, "-"+word[1+i:])
			return nil
		case strings.HasPrefix(rest, "="):
			a.flags = append(a.flags, "--"+fl.Name+rest)
			return nil
		case fl.IsBool():
			a.flags = append(a.flags, "--"+fl.Name)
		case rest == "":
			return fl
		default:
			a.flags = append(a.flags, "--"+fl.Name+"="+rest)
			return nil
		}
	}
	return nil
}

// shadowed renames a flag of every command that the command at hand has another meaning
// for, as kubectl's `create rolebinding --user` has. The command's own flag says so
// with the tag shadows, and has another name for the parser.
func (a *arranger) shadowed(word string) string {
	name, value, assigned := strings.Cut(word[2:], "=")
	for _, fl := range a.node.Flags {
		if name != "" && fl.Tag.Get("shadows") == name {
			name = fl.Name
			break
		}
	}
	if assigned {
		return "--" + name + "=" + value
	}
	return "--" + name
}

func (a *arranger) find(is func(*kong.Flag) bool) *kong.Flag {
	nodes := []*kong.Node{a.node}
	if a.node.DefaultCmd != nil {
		nodes = append(nodes, a.node.DefaultCmd)
	}
	for _, n := range nodes {
		for _, group := range n.AllFlags(false) {
			if i := slices.IndexFunc(group, is); i >= 0 {
				return group[i]
			}
		}
	}
	return nil
}
