package keep

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Nothing keeps nothing: for nodes whose containers do not outlive their agent either.
type Nothing struct{}

// PutOrder forgets.
func (Nothing) PutOrder(*v1.Pod) error { return nil }

// PutStatus forgets.
func (Nothing) PutStatus(*v1.Pod) error { return nil }

// DropOrder has nothing to drop.
func (Nothing) DropOrder(sandbox.Key) error { return nil }

// Orders has none.
func (Nothing) Orders() ([]*v1.Pod, error) { return nil, nil }

// PutObject forgets.
func (Nothing) PutObject(schemas.Ref, schemas.Object) error { return nil }

// Object never finds one.
func (Nothing) Object(schemas.Ref, schemas.Object) (bool, error) { return false, nil }

// DropObject has nothing to drop.
func (Nothing) DropObject(schemas.Ref) error { return nil }

// Sweep has nothing to sweep.
func (Nothing) Sweep(map[schemas.Ref]bool) error { return nil }
