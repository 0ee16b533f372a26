package admit

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
)

// New applies defaults and admission to an object that is about to be created, and
// validates it.
func New(s State, k *schemas.Kind, obj schemas.Object) error {
	if k.Default != nil {
		k.Default(obj)
	}
	switch o := obj.(type) {
	case *v1.Pod:
		if err := account(s, o); err != nil {
			return err
		}
		if err := runtimeClass(s, o); err != nil {
			return err
		}
		defaults.AddPodTolerations(o)
		if err := priority(s, o); err != nil {
			return err
		}
	case *v1.Namespace:
		newNamespace(o)
	}
	if k.Validate != nil {
		if err := Invalid(k, obj.GetName(), k.Validate(obj)); err != nil {
			return err
		}
	}
	return Secure(s, k, obj, nil)
}

// Changed applies defaults to an object that replaces old, counts the generation, and
// validates the change. obj has been through Update.
func Changed(k *schemas.Kind, obj, old schemas.Object) error {
	if k.Default != nil {
		k.Default(obj)
	}
	keepDecided(obj, old)
	if Generations(k) && !SameContent(k, obj, old) {
		obj.SetGeneration(old.GetGeneration() + 1)
	}
	if k.ValidateUpdate == nil {
		return nil
	}
	return Invalid(k, old.GetName(), k.ValidateUpdate(obj, old))
}

// keepDecided restores what admission decided when the object was made and what a
// client that sends its own manifest again does not name.
func keepDecided(obj, old schemas.Object) {
	switch o := obj.(type) {
	case *v1.Pod:
		was, ok := old.(*v1.Pod)
		if !ok {
			return
		}
		if o.Spec.ServiceAccountName == "" {
			o.Spec.ServiceAccountName, o.Spec.DeprecatedServiceAccount = was.Spec.ServiceAccountName, was.Spec.DeprecatedServiceAccount
		}
		if o.Spec.Overhead == nil {
			o.Spec.Overhead = was.Spec.Overhead
		}
		if len(o.Spec.ImagePullSecrets) == 0 {
			o.Spec.ImagePullSecrets = was.Spec.ImagePullSecrets
		}
		keepToken(o, was)
		if o.Spec.Priority == nil {
			o.Spec.Priority = was.Spec.Priority
		}
		if o.Spec.PreemptionPolicy == nil {
			o.Spec.PreemptionPolicy = was.Spec.PreemptionPolicy
		}
		if o.Spec.NodeName == "" {
			o.Spec.NodeName = was.Spec.NodeName
		}
	case *v1.Namespace:
		// Only the finalize subresource changes these.
		if was, ok := old.(*v1.Namespace); ok {
			o.Spec.Finalizers = was.Spec.Finalizers
		}
	}
}
