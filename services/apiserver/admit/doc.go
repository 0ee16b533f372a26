// Package admit completes and checks what is about to be stored: the metadata that
// only the server sets, the namespace's life cycle, and what Kubernetes' default
// admission plugins do to pods (priority, service account, runtime class, tolerations,
// Pod Security).
//
// It reads namespaces, service accounts, priority and runtime classes, and writes nothing. What always holds: a
// client cannot choose uid, generation, creation or deletion time.
package admit
