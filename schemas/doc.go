// Package schemas holds the kinds that Skerry knows: one table with, for each
// kind, its names, Go type, defaults, validation and printer columns.
//
// It reads and writes nothing: no I/O, no clock, no bus. Its subpackages decode
// manifests with positions (decode), fill in defaults (defaults), validate
// (validate), print (column), explain fields (explain) and join the parts of an
// object that different services write (join); shape tells how JSON sees a Go type,
// and guess finds what a misspelt name was meant to be.
//
// What always holds: the kinds' Go types, field names, defaults and rules are
// those of k8s.io/api at the version in go.mod, and adding a kind is one entry.
package schemas
