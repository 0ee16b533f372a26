// Package managed keeps metadata.managedFields and does server-side apply, with
// apimachinery's field manager over the schemas of client-go's apply configurations.
// Pure.
//
// What always holds: a kind without a known schema is merged with deduced types
// (lists whole); an object that nobody tracks yet starts being tracked at its first apply.
package managed
