package admit

import (
	"maps"

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
		defaults.AppArmor(o)
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
	countGeneration(k, obj, old)
	if k.ValidateUpdate == nil {
		return nil
	}
	return Invalid(k, old.GetName(), k.ValidateUpdate(obj, old))
}

// countGeneration gives obj the next generation if what it changes of old counts. What the controller notes
// about a Deployment does not: in Kubernetes it comes with the status.
func countGeneration(k *schemas.Kind, obj, old schemas.Object) {
	g := k.Generation
	if g&schemas.GenerationContent != 0 && !SameContent(k, obj, old) ||
		g&schemas.GenerationLabels != 0 && !sameText(obj.GetLabels(), old.GetLabels()) ||
		g&schemas.GenerationAnnotations != 0 && !sameText(obj.GetAnnotations(), old.GetAnnotations()) {
		obj.SetGeneration(old.GetGeneration() + 1)
	}
}

// sameText compares labels or annotations.
func sameText(a, b map[string]string) bool {
	rest := func(m map[string]string) map[string]string {
		m = maps.Clone(m)
		delete(m, "deployment.kubernetes.io/revision")
		return m
	}
	return maps.Equal(a, b) || maps.Equal(rest(a), rest(b))
}

// keepDecided restores what admission decided when the object was made, as far as Kubernetes' admission
// does: a pod's service account, say, or its node, are a change if a client does not name them again.
func keepDecided(obj, old schemas.Object) {
	switch o := obj.(type) {
	case *v1.Pod:
		was, ok := old.(*v1.Pod)
		if !ok {
			return
		}
		if o.Spec.Priority == nil {
			o.Spec.Priority = was.Spec.Priority
		}
		if o.Spec.PreemptionPolicy == nil {
			o.Spec.PreemptionPolicy = was.Spec.PreemptionPolicy
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
