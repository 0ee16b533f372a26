// Package apiserver serves the Kubernetes API over the bus.
//
// It reads the whole state through a live copy (bus/view) and writes desired objects,
// their revisions, events and the audit. The parts, in the order in which a request
// meets them:
//
//	access    may this user do that
//	codec     bodies into objects, within bounds
//	admit     names, uids, defaults, namespaces, priorities, validation
//	patch     JSON, merge and strategic merge patches
//	managed   who set which field; server-side apply
//	removal   what a delete does: finalizers, grace periods
//	registry  the verbs, and the writers of desired objects
//	history   what was desired before
//	event     the events, counted
//	replica   reads as new as the newest write
//	feed      the last changes of each resource
//	watch     changes to one client
//	selector  labels and fields
//	page      limit and continue
//	audit     who did what
//
// What always holds: any number of apiservers answer alike, because none knows
// anything that is not in the bus; an acknowledged write is on disk and seen by every
// later read of any of them.
package apiserver
