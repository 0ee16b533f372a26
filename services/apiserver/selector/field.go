package selector

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

type getter = func(schemas.Object) string

// field returns how to read the field called label of k's objects, or nil.
func field(k *schemas.Kind, label string) getter {
	switch label {
	case "metadata.name":
		return func(o schemas.Object) string { return o.GetName() }
	case "metadata.namespace":
		return func(o schemas.Object) string { return o.GetNamespace() }
	}
	return fieldsOf(k)[label]
}

// unknown words the refusal of a label that k does not have.
func unknown(k *schemas.Kind, label string) string {
	known := []string{`"metadata.name"`, `"metadata.namespace"`}
	for l := range fieldsOf(k) {
		known = append(known, strconv.Quote(l))
	}
	sort.Strings(known)
	return fmt.Sprintf("%q is not a known field selector: only %s", label, strings.Join(known, ", "))
}

// of adapts a getter of one Go type; other types have an empty field.
func of[T schemas.Object](f func(T) string) getter {
	return func(o schemas.Object) string {
		if t, ok := o.(T); ok {
			return f(t)
		}
		return ""
	}
}

// fieldsOf lists the fields beyond metadata that k is selected by.
func fieldsOf(k *schemas.Kind) map[string]getter {
	if k.Selectable != nil {
		return k.Selectable
	}
	return byResource(k.Resource)
}

// byResource lists the fields beyond metadata that Kubernetes selects r by.
func byResource(r schemas.Resource) map[string]getter {
	switch r {
	case schemas.Pods:
		return podFields()
	case schemas.Events:
		return eventFields()
	case schemas.Nodes:
		return map[string]getter{
			"spec.unschedulable": of(func(n *v1.Node) string { return strconv.FormatBool(n.Spec.Unschedulable) }),
		}
	case schemas.Secrets:
		return map[string]getter{"type": of(func(s *v1.Secret) string { return string(s.Type) })}
	case schemas.Services:
		return map[string]getter{
			"spec.clusterIP": of(func(s *v1.Service) string { return s.Spec.ClusterIP }),
			"spec.type":      of(func(s *v1.Service) string { return string(s.Spec.Type) }),
		}
	case schemas.Namespaces:
		phase := of(func(n *v1.Namespace) string { return string(n.Status.Phase) })
		return map[string]getter{"status.phase": phase, "name": func(o schemas.Object) string { return o.GetName() }}
	case schemas.ClusterTrustBundles:
		return map[string]getter{"spec.signerName": of(func(b *certificatesv1.ClusterTrustBundle) string { return b.Spec.SignerName })}
	case schemas.PodCertificateRequests:
		return map[string]getter{
			"spec.signerName": of(func(r *certificatesv1.PodCertificateRequest) string { return r.Spec.SignerName }),
			"spec.podName":    of(func(r *certificatesv1.PodCertificateRequest) string { return r.Spec.PodName }),
			"spec.nodeName":   of(func(r *certificatesv1.PodCertificateRequest) string { return string(r.Spec.NodeName) }),
		}
	case schemas.ReplicaSets:
		return map[string]getter{
			"status.replicas": of(func(s *appsv1.ReplicaSet) string { return strconv.Itoa(int(s.Status.Replicas)) }),
		}
	}
	return nil
}

func podFields() map[string]getter {
	return map[string]getter{
		"spec.nodeName":            of(func(p *v1.Pod) string { return p.Spec.NodeName }),
		"spec.restartPolicy":       of(func(p *v1.Pod) string { return string(p.Spec.RestartPolicy) }),
		"spec.schedulerName":       of(func(p *v1.Pod) string { return p.Spec.SchedulerName }),
		"spec.serviceAccountName":  of(func(p *v1.Pod) string { return p.Spec.ServiceAccountName }),
		"spec.hostNetwork":         of(func(p *v1.Pod) string { return strconv.FormatBool(p.Spec.HostNetwork) }),
		"status.phase":             of(func(p *v1.Pod) string { return string(p.Status.Phase) }),
		"status.podIP":             of(func(p *v1.Pod) string { return p.Status.PodIP }),
		"status.nominatedNodeName": of(func(p *v1.Pod) string { return p.Status.NominatedNodeName }),
	}
}

func eventFields() map[string]getter {
	return map[string]getter{
		"involvedObject.kind":            of(func(e *v1.Event) string { return e.InvolvedObject.Kind }),
		"involvedObject.namespace":       of(func(e *v1.Event) string { return e.InvolvedObject.Namespace }),
		"involvedObject.name":            of(func(e *v1.Event) string { return e.InvolvedObject.Name }),
		"involvedObject.uid":             of(func(e *v1.Event) string { return string(e.InvolvedObject.UID) }),
		"involvedObject.apiVersion":      of(func(e *v1.Event) string { return e.InvolvedObject.APIVersion }),
		"involvedObject.resourceVersion": of(func(e *v1.Event) string { return e.InvolvedObject.ResourceVersion }),
		"involvedObject.fieldPath":       of(func(e *v1.Event) string { return e.InvolvedObject.FieldPath }),
		"reason":                         of(func(e *v1.Event) string { return e.Reason }),
		"reportingComponent":             of(func(e *v1.Event) string { return e.ReportingController }),
		"source":                         of(func(e *v1.Event) string { return e.Source.Component }),
		"type":                           of(func(e *v1.Event) string { return e.Type }),
	}
}
