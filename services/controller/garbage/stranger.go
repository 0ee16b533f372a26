package garbage

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// strangers remembers of which resources, and in namespaces or not, the objects are that have no Go
// type: another process may have kinds that this one's table lacks, and their objects own others, too.
// The zero value is ready. Safe for concurrent use.
type strangers struct {
	mu    sync.Mutex
	known map[schema.GroupKind]stranger
}

type stranger struct {
	resource   schemas.Resource
	namespaced bool
}

// meet takes notice of obj.
func (s *strangers) meet(ref schemas.Ref, obj schemas.Object) {
	if !schemas.IsUntyped(obj) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[schema.GroupKind]stranger{}
	}
	s.known[obj.GetObjectKind().GroupVersionKind().GroupKind()] = stranger{ref.Resource, ref.Namespace != ""}
}

// ref finds what r, an owner of o's, is if it is of a kind that was met.
func (s *strangers) ref(o schemas.Object, r metav1.OwnerReference, group string) (schemas.Ref, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, ok := s.known[schema.GroupKind{Group: group, Kind: r.Kind}]
	if !ok {
		return schemas.Ref{}, false
	}
	ref := schemas.Ref{Resource: of.resource, Name: schemas.Name(r.Name)}
	if of.namespaced {
		ref.Namespace = schemas.Namespace(o.GetNamespace())
	}
	return ref, true
}
