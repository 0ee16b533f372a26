// Package history keeps what was desired before, in the bucket revisions.
//
// It reads and writes that bucket alone. What always holds: a desired value is kept
// before it is overwritten or deleted, once, whoever tries and how often; the newest
// value of each revision counts; an object's history outlives the object.
package history
