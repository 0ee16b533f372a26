package admit

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
	"github.com/skerry/skerry/services/apiserver/allot"
)

// New applies defaults and admission to an object that is about to be created, and
// validates it. A service gets what it needs of r.
func New(s State, r allot.Ranges, k *schemas.Kind, obj schemas.Object) error {
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
	case *v1.Service:
		if err := service(s, r, k, o, nil); err != nil {
			return err
		}
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
func Changed(s State, r allot.Ranges, k *schemas.Kind, obj, old schemas.Object) error {
	if k.Default != nil {
		k.Default(obj)
	}
	keepDecided(obj, old)
	if svc, ok := obj.(*v1.Service); ok {
		if err := service(s, r, k, svc, old); err != nil {
			return err
		}
	}
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
		defaults.AddPodTolerations(o)
	case *v1.Namespace:
		// Only the finalize subresource changes these.
		if was, ok := old.(*v1.Namespace); ok {
			o.Spec.Finalizers = was.Spec.Finalizers
		}
	}
}

// Status completes and checks the status that obj has instead of old's, for kinds that have
// rules for it.
func Status(k *schemas.Kind, obj, old schemas.Object) error {
	if k.Resource != schemas.Services {
		return nil
	}
	k.Default(obj)
	return Invalid(k, obj.GetName(), validate.ServiceStatus(obj, old))
}

// service gives svc addresses and ports, beside those of the services that there are.
func service(s State, r allot.Ranges, k *schemas.Kind, svc *v1.Service, old schemas.Object) error {
	was, _ := old.(*v1.Service) // nil for a new one
	errs, err := r.Fill(svc, was, s.List(schemas.Services, ""))
	if err != nil {
		return err
	}
	return Invalid(k, svc.Name, errs)
}
