// Package gateway is the Kubernetes HTTP API in front of the bus: what kubectl, Helm
// and client-go talk to.
//
// It reads requests over TLS, asks the apiserver over the bus, as the user that it
// authenticated, and writes what comes back. It keeps no state: any number of replicas serve one
// cluster. What always holds: nothing is decided here that the apiserver decides for the bus
// as well (who may, what is valid, what is stored); a request without an authenticated
// user is one of system:anonymous; every request, body and connection has a bound in
// size and time.
package gateway
