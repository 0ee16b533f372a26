package admit

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// State is what admission reads.
type State interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
}

// BuiltInNamespaces exist from the start.
func BuiltInNamespaces() []string {
	return []string{"default", "kube-system", "kube-public", "kube-node-lease"}
}

// immortal namespaces cannot be deleted; kube-node-lease can, in Kubernetes too.
func immortal(name schemas.Name) bool {
	return name == "default" || name == "kube-system" || name == "kube-public"
}

// Namespace checks that an object of kind k may be created in ns: it exists and is
// not being deleted.
func Namespace(s State, k *schemas.Kind, ns schemas.Namespace, name string) error {
	obj, ok := s.Get(schemas.Ref{Resource: schemas.Namespaces, Name: schemas.Name(ns)})
	if !ok {
		return apierrors.NewNotFound(v1.Resource("namespaces"), string(ns))
	}
	if obj.GetDeletionTimestamp() == nil {
		return nil
	}
	err := apierrors.NewForbidden(GroupResource(k.Resource), name,
		fmt.Errorf("unable to create new content in namespace %s because it is being terminated", ns))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type:    v1.NamespaceTerminatingCause,
		Message: fmt.Sprintf("namespace %s is being terminated", ns),
		Field:   "metadata.namespace",
	})
	return err
}

// Delete refuses to delete what the cluster cannot be without.
func Delete(ref schemas.Ref) error {
	if ref.Resource == schemas.Namespaces && immortal(ref.Name) {
		return apierrors.NewForbidden(v1.Resource("namespaces"), string(ref.Name), fmt.Errorf("this namespace may not be deleted"))
	}
	return nil
}

// newNamespace gives a namespace the finalizer that the namespace controller takes off
// when everything in it is gone.
func newNamespace(n *v1.Namespace) {
	for _, f := range n.Spec.Finalizers {
		if f == v1.FinalizerKubernetes {
			return
		}
	}
	n.Spec.Finalizers = append(n.Spec.Finalizers, v1.FinalizerKubernetes)
}
