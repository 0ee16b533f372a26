package schemas

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is any Kubernetes object: the typed structs of k8s.io/api and
// *unstructured.Unstructured both satisfy it. Nothing above this package may
// assume more about a kind than its entry in the table of kinds tells.
type Object interface {
	metav1.Object
	runtime.Object
}

// NodeName, Namespace and Name are kept apart because they are easily swapped.
type (
	NodeName  string
	Namespace string // "" for cluster-scoped objects
	Name      string
)

// Ref names one object of the cluster.
type Ref struct {
	Resource  Resource
	Namespace Namespace
	Name      Name
}

// String renders "deployments.apps default/web" for logs and errors.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Resource.String() + " " + string(r.Name)
	}
	return r.Resource.String() + " " + string(r.Namespace) + "/" + string(r.Name)
}

// RefOf names obj, which is of resource r.
func RefOf(r Resource, obj metav1.Object) Ref {
	return Ref{Resource: r, Namespace: Namespace(obj.GetNamespace()), Name: Name(obj.GetName())}
}
