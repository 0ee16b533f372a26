// Package defaults fills in what Kubernetes fills in when an object leaves a field
// out. Pure: it changes the object that it is given and reads nothing else.
//
// What always holds: a field that is set stays as it is, but for a resource quantity,
// which is rounded up to thousandths as Kubernetes stores it, and for the second of two
// names of one field (serviceAccount, stringData), which follows the first. Defaulting
// twice is defaulting once, and a valid object stays valid. An object of another Go
// type is left alone.
package defaults
