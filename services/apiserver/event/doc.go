// Package event keeps Kubernetes events: the same thing about the same object counts
// up instead of filling the stream, and an hour after the last time it is gone.
//
// It reads and writes the stream events. What always holds: an event's name is made
// from what it says, so that replicas which get the same one at once count it twice
// and store it once.
package event
