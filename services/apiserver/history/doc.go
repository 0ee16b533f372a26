// Package history keeps what was desired before, in the bucket revisions.
//
// It reads and writes that bucket alone. What always holds: a desired value is there, or is carried along by
// the one that replaced it, before it is overwritten or deleted; it is kept once, whoever tries and how often, in order; the
// newest value of each revision counts; an object's history outlives the object.
package history
