// Package bus is how Skerry's services reach each other: one connection to NATS
// under one identity, and the names of every subject, key and stream.
//
// Nothing outside bus/ imports NATS. The subpackages are
//
//	server    the embedded NATS server, and the configuration of an external one
//	identity  operator, account and roles; credentials and their permissions
//	store     typed key-value store with compare-and-swap, batches and watches
//	view      a live, joined copy of the state: objects as clients see them
//	api       the request/reply protocol of the apiserver, client and server side
//	stream    byte streams with flow control (watches, logs, exec)
//	lease     leader election and node heartbeats
//	record    Kubernetes events
//
// What always holds: who asks is in the subject and vouched for by the server's
// permissions; every write is a compare-and-swap; a connection is retried for ever.
package bus
