// Package kinds is the table of kinds that this binary serves: each entry ties a
// Go type to its names, defaults, validation and printer columns.
package kinds

import "github.com/skerry/skerry/schemas"

// Table returns the built-in kinds. It is built once and shared; do not change it.
func Table() *schemas.Table { panic("skeleton") }
