// Package schemas holds the kinds that Skerry knows: one table with, for each
// kind, its names, Go type, defaults, validation and printer columns.
//
// It reads and writes nothing: no I/O, no clock, no bus. Its subpackages decode
// manifests with positions (decode), fill in defaults (defaults), validate
// (validate), print (column), explain fields (explain) and join the parts of an
// object that different services write (join); shape tells how JSON sees a Go type,
// guess finds what a misspelt name was meant to be, and outline describes kinds that have
// no Go type.
//
// What always holds: the Go types, field names, defaults and rules of the kinds that the table is
// made of are those of k8s.io/api at the version in go.mod; adding a kind is one entry, when the
// program is built or while it runs.
package schemas
