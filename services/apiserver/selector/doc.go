// Package selector decides which objects a list or watch is about: label selectors
// and the field selectors that Kubernetes has for each kind. Pure.
package selector
