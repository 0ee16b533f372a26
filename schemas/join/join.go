// Package join makes the object that a client sees from the parts that different
// services write, and splits what a client sends into them. Pure.
//
// What always holds: metadata and spec come from desired; status parts count only if
// their uid is desired's uid (a name can be used again); the controller's conclusions
// override what the agent observed, condition by condition.
package join

import "github.com/skerry/skerry/schemas"

// Join returns a new object, sharing nothing that it changes. Parts other than
// desired may be nil. assigned is a pod whose spec.nodeName says where it was placed,
// or whose status.conditions say why not; observed and current carry metadata
// (name, namespace, uid) and status.
//
// Pods: spec.nodeName from assigned; status from observed, with PodScheduled from
// assigned, then current's conditions overlaid by type. A pod that no agent has
// reported yet is Pending. Nodes: status from observed, current's conditions overlaid.
// Other kinds: status from current.
func Join(kind *schemas.Kind, desired, assigned, observed, current schemas.Object) schemas.Object {
	panic("skeleton")
}

// Desired returns a copy of obj without its status: what is stored under desired.
func Desired(kind *schemas.Kind, obj schemas.Object) schemas.Object { panic("skeleton") }

// StatusOnly returns obj's kind, name, namespace, uid and status: what is stored
// under observed and current.
func StatusOnly(kind *schemas.Kind, obj schemas.Object) schemas.Object { panic("skeleton") }
