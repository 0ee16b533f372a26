// Package decode turns manifests (YAML or JSON) and request bodies into typed
// objects, and says exactly where they are wrong.
//
// It reads bytes and the table of kinds, and writes nothing. A manifest goes through
// text (encoding) → split (documents) → yaml or json (a tree with positions) →
// manifest (kind, lists) → check (the tree against the Go type) → the typed object.
//
// What always holds: input of any kind gives objects or errors with positions, never
// a panic; time and memory are bounded by the limits below, whatever the input; all
// errors of all documents are reported at once. Scalars mean what they mean to
// kubectl, which reads YAML 1.1: yes, on and 0644 are not strings.
package decode

// The limits. They are far above what a cluster stores (an object of 1 MiB) and low
// enough that input made to hurt costs ten seconds and 200 MB at worst.
const (
	maxInput     = 8 << 20 // bytes of one file
	maxDocument  = 2 << 20 // bytes of one YAML document
	maxDocuments = 10_000  // non-empty documents of one file
	maxDepth     = 100     // levels of nesting
	maxValues    = 300_000 // scalars, lists and maps of one document
	maxKeys      = 2_000   // entries of one YAML block map: parsing is quadratic in it
	maxEmpty     = 5_000   // values left out ("key:") of one YAML document: likewise
	maxExpansion = 100_000 // values that aliases and merge keys may add to a document
	maxExpanded  = 8 << 20 // bytes of a document once its aliases are expanded
	maxErrors    = 200     // errors reported of one file
)
