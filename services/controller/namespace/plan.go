package namespace

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// Plan is what is due for one namespace.
type Plan struct {
	// ServiceAccount tells to make the account that pods run as by default.
	ServiceAccount bool
	// Empty are the resources of which something is left to be deleted.
	Empty []schemas.Resource
	// Finalize tells that nothing is left: the namespace may go.
	Finalize bool
	Status   corev1.NamespaceStatus
}

// content is what a namespace holds of one resource.
type content struct {
	resource schemas.Resource
	// objects in all, how many of them are not being deleted yet, and the
	// finalizers of those that are.
	objects, fresh int
	finalizers     []string
}

// plan decides for ns, which holds what contents say. failed is what went wrong
// with deleting in the last try, if anything did.
func plan(ns *corev1.Namespace, contents []content, hasAccount bool, failed error, now time.Time) Plan {
	p := Plan{Status: *ns.Status.DeepCopy()}
	if ns.DeletionTimestamp == nil {
		p.Status.Phase = corev1.NamespaceActive
		p.Status.Conditions = nil
		p.ServiceAccount = !hasAccount
		return p
	}
	p.Status.Phase = corev1.NamespaceTerminating
	left := 0
	for _, c := range contents {
		left += c.objects
		if c.fresh > 0 {
			p.Empty = append(p.Empty, c.resource)
		}
	}
	set := func(t corev1.NamespaceConditionType, bad bool, reason, message string) {
		p.Status.Conditions = setCondition(p.Status.Conditions, t, bad, reason, message, now)
	}
	set(corev1.NamespaceDeletionDiscoveryFailure, false, "ResourcesDiscovered", "All resources successfully discovered")
	set(corev1.NamespaceDeletionGVParsingFailure, false, "ParsedGroupVersions", "All legacy kube types successfully parsed")
	if failed != nil {
		set(corev1.NamespaceDeletionContentFailure, true, "ContentDeletionFailed", failed.Error())
	} else {
		set(corev1.NamespaceDeletionContentFailure, false, "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
	}
	if left > 0 {
		set(corev1.NamespaceContentRemaining, true, "SomeResourcesRemain", "Some resources are remaining: "+remaining(contents))
	} else {
		set(corev1.NamespaceContentRemaining, false, "ContentRemoved", "All content successfully removed")
	}
	if f := finalizers(contents); f != "" {
		set(corev1.NamespaceFinalizersRemaining, true, "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "+f)
	} else {
		set(corev1.NamespaceFinalizersRemaining, false, "ContentHasNoFinalizers", "All content-preserving finalizers finished")
	}
	p.Finalize = left == 0 && failed == nil && slices.Contains(ns.Spec.Finalizers, corev1.FinalizerKubernetes)
	return p
}

func remaining(contents []content) string {
	var out []string
	for _, c := range contents {
		if c.objects > 0 {
			out = append(out, fmt.Sprintf("%s has %d resource instances", name(c.resource), c.objects))
		}
	}
	return strings.Join(out, ", ")
}

// name renders "pods." and "deployments.apps", as Kubernetes does in these messages.
func name(r schemas.Resource) string { return r.Plural + "." + r.Group }

func finalizers(contents []content) string {
	count := map[string]int{}
	for _, c := range contents {
		for _, f := range c.finalizers {
			count[f]++
		}
	}
	var out []string
	for f, n := range count {
		out = append(out, fmt.Sprintf("%s in %d resource instances", f, n))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func setCondition(list []corev1.NamespaceCondition, t corev1.NamespaceConditionType, bad bool, reason, message string, now time.Time) []corev1.NamespaceCondition {
	c := corev1.NamespaceCondition{Type: t, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now)}
	if bad {
		c.Status = corev1.ConditionTrue
	}
	list = slices.Clone(list)
	for i, was := range list {
		if was.Type != t {
			continue
		}
		if was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
		list[i] = c
		return list
	}
	return append(list, c)
}

// finalized returns a copy of ns that may go.
func finalized(ns *corev1.Namespace) *corev1.Namespace {
	out := ns.DeepCopy()
	out.Spec.Finalizers = slices.DeleteFunc(out.Spec.Finalizers, func(f corev1.FinalizerName) bool { return f == corev1.FinalizerKubernetes })
	return out
}
