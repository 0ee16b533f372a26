// Package share decodes pods so that what is alike in many of them is in memory once:
// the pods of one template have one spec, one map of labels, one list of owners, and
// those that started in the same second one list of conditions.
//
// Who keeps many pods and looks at few keeps them lean: by what is their own, and the frame
// that they share.
//
// It reads the JSON that the state holds. Pure. What always holds: the result is equal to
// that of an ordinary decoding, and is not to be changed (DeepCopy first), for others
// hold parts of it; what a pool remembers is bounded.
package share
