// Package page cuts lists into pages that all show the same moment. Pure.
//
// What always holds: a continue token names the revision that its list was taken at
// and the key it goes on from; pages are in order of namespace and name.
package page
