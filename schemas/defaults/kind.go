package defaults

import (
	appsv1 "k8s.io/api/apps/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"

	"github.com/skerry/skerry/schemas"
)

// Namespace adds the label that carries the name, the finalizer that keeps the
// namespace until it is empty, and the phase.
func Namespace(obj schemas.Object) {
	ns, ok := obj.(*v1.Namespace)
	if !ok {
		return
	}
	// A name that is still to be generated is labelled once it is known.
	if ns.Name != "" {
		if ns.Labels == nil {
			ns.Labels = map[string]string{}
		}
		ns.Labels[v1.LabelMetadataName] = ns.Name
	}
	// While the namespace is being deleted, an empty list means that it may go.
	if len(ns.Spec.Finalizers) == 0 && ns.DeletionTimestamp == nil {
		ns.Spec.Finalizers = []v1.FinalizerName{v1.FinalizerKubernetes}
	}
	setIfZero(&ns.Status.Phase, v1.NamespaceActive)
}

// Node takes allocatable from capacity, and makes podCIDR the first of podCIDRs.
func Node(obj schemas.Object) {
	n, ok := obj.(*v1.Node)
	if !ok {
		return
	}
	if n.Status.Allocatable == nil && n.Status.Capacity != nil {
		n.Status.Allocatable = n.Status.Capacity.DeepCopy()
	}
	// podCIDR is the older field; it alone can still fill the newer one.
	if len(n.Spec.PodCIDRs) > 0 {
		setIfZero(&n.Spec.PodCIDR, n.Spec.PodCIDRs[0])
	} else if n.Spec.PodCIDR != "" {
		n.Spec.PodCIDRs = []string{n.Spec.PodCIDR}
	}
	round(n.Status.Capacity)
	round(n.Status.Allocatable)
}

// Pod fills in the pod's spec, and requests from limits.
func Pod(obj schemas.Object) {
	if p, ok := obj.(*v1.Pod); ok {
		pod(p)
	}
}

// ReplicaSet fills in replicas and the pod template.
func ReplicaSet(obj schemas.Object) {
	rs, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return
	}
	setIfNil(&rs.Spec.Replicas, 1)
	podSpec(&rs.Spec.Template.Spec)
}

// Deployment fills in replicas, the strategy, the limits of a rollout and the pod template.
func Deployment(obj schemas.Object) {
	if d, ok := obj.(*appsv1.Deployment); ok {
		deployment(d)
	}
}

// ConfigMap makes data an object rather than null.
func ConfigMap(obj schemas.Object) {
	if cm, ok := obj.(*v1.ConfigMap); ok && cm.Data == nil {
		cm.Data = map[string]string{}
	}
}

// Secret makes the type Opaque, and moves stringData, which may only be written,
// into data, where it overrides what has the same key.
func Secret(obj schemas.Object) {
	s, ok := obj.(*v1.Secret)
	if !ok {
		return
	}
	setIfZero(&s.Type, v1.SecretTypeOpaque)
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for key, value := range s.StringData {
		s.Data[key] = []byte(value)
	}
	s.StringData = nil
}

// PriorityClass lets pods of the class preempt others.
func PriorityClass(obj schemas.Object) {
	if pc, ok := obj.(*schedulingv1.PriorityClass); ok {
		setIfNil(&pc.PreemptionPolicy, v1.PreemptLowerPriority)
	}
}

// Event has no defaults.
func Event(schemas.Object) {}

// ServiceAccount has no defaults.
func ServiceAccount(schemas.Object) {}

// Lease has no defaults.
func Lease(schemas.Object) {}

// setIfZero sets *p to value if it is its type's zero.
func setIfZero[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// setIfNil makes *p point to value if it points nowhere.
func setIfNil[T any](p **T, value T) {
	if *p == nil {
		*p = &value
	}
}

// PodGroup lets the pods of a group be disrupted one by one.
func PodGroup(obj schemas.Object) {
	if g, ok := obj.(*schedulingv1beta1.PodGroup); ok && g.Spec.DisruptionMode == nil {
		g.Spec.DisruptionMode = &schedulingv1beta1.DisruptionMode{Single: &schedulingv1beta1.SingleDisruptionMode{}}
	}
}

// PodCertificateRequest lets a certificate live for a day.
func PodCertificateRequest(obj schemas.Object) {
	if r, ok := obj.(*certificatesv1.PodCertificateRequest); ok {
		setIfNil(&r.Spec.MaxExpirationSeconds, 24*tokenSeconds)
	}
}
