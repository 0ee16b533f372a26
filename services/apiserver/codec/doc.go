// Package codec turns request bodies into objects and objects into what is stored.
// Pure.
//
// What always holds: a body beyond the size or depth bound is refused before it is
// decoded; a stored value has no status and no resourceVersion (the stream has it).
package codec
