// Package patch applies the three patch types that change an object's JSON: JSON
// patch, merge patch and strategic merge patch. (Server-side apply is in package
// managed.) Pure.
//
// What always holds: no patch makes the server panic, nor grow a document beyond
// the size of an object; the answer to a bad patch is a Status error.
package patch
