// Package allot gives services their cluster IPs and node ports.
//
// It reads the services that there are and writes nothing: it fills fields in, and says
// which keys of the state a service holds. The registry stores a service and its keys in
// one atomic batch, each under a compare-and-swap, and releases them in the batch that
// changes or removes the service.
// What always holds: a key exists if and only if a service with that address or port
// does, so no two services have one, whichever apiservers made them; a dry run, which
// stores nothing, holds nothing.
package allot
