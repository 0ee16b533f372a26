// Package crowd tests what 100,000 watches cost that nothing happens to, and that they stay.
//
// The bus, an apiserver, a gateway and the watches' client are all in the test's process, so that it
// can count goroutines and memory; between client and gateway there is TLS on loopback. It has tests only.
package crowd
