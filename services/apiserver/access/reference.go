package access

import (
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
)

// refers tells whether p needs the object of resource r called name, which is in p's
// namespace.
func refers(p *v1.Pod, r schemas.Resource, name string) bool {
	return slices.ContainsFunc(refer.Objects(p), func(ref schemas.Ref) bool {
		return ref.Resource == r && string(ref.Name) == name
	})
}
