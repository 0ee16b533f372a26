package rbac

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
)

// Autoupdate is the annotation of roles that are completed at each start of an apiserver,
// unless somebody sets it to "false".
const Autoupdate = rbacv1.AutoUpdateAnnotationKey

// Groups that everybody is in, or nobody who is known.
const (
	GroupAuthenticated   = "system:authenticated"
	GroupUnauthenticated = "system:unauthenticated"
	groupServiceAccounts = "system:serviceaccounts"
)

var (
	readVerbs  = []string{"get", "list", "watch"}
	writeVerbs = []string{"create", "delete", "deletecollection", "patch", "update"}
)

// Defaults are the cluster roles and bindings that every cluster has, by Kubernetes' names.
func Defaults() []schemas.Object {
	return []schemas.Object{
		clusterRole("cluster-admin", everything()...),
		clusterRole("system:discovery", paths("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/")),
		clusterRole("system:basic-user",
			rule([]string{"create"}, "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
			rule([]string{"create"}, "authentication.k8s.io", "selfsubjectreviews")),
		clusterRole("system:public-info-viewer", paths("/healthz", "/livez", "/readyz", "/version", "/version/")),
		clusterRole("system:cluster-trust-bundle-discovery", rule(readVerbs, schemas.ClusterTrustBundles.Group, schemas.ClusterTrustBundles.Plural)),
		aggregated("admin"), aggregated("edit"), aggregated("view"),
		aggregatedTo("admin", adminRules()), aggregatedTo("edit", editRules()), aggregatedTo("view", viewRules()),
		clusterBinding("cluster-admin", access.GroupMasters),
		clusterBinding("system:discovery", GroupAuthenticated),
		clusterBinding("system:basic-user", GroupAuthenticated),
		clusterBinding("system:cluster-trust-bundle-discovery", groupServiceAccounts),
		clusterBinding("system:public-info-viewer", GroupAuthenticated, GroupUnauthenticated),
	}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:        name,
		Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
		Annotations: map[string]string{Autoupdate: "true"},
	}
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: meta(name), Rules: rules}
}

// aggregated is a role that holds the rules of all roles with its label.
func aggregated(name string) *rbacv1.ClusterRole {
	r := clusterRole(name)
	r.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{aggregateLabel(name): "true"}}}}
	// The larger roles hold the smaller ones.
	if larger := map[string]string{"view": "edit", "edit": "admin"}[name]; larger != "" {
		r.Labels[aggregateLabel(larger)] = "true"
	}
	return r
}

func aggregatedTo(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	r := clusterRole("system:aggregate-to-"+name, rules...)
	r.Labels[aggregateLabel(name)] = "true"
	return r
}

func aggregateLabel(name string) string { return rbacv1.GroupName + "/aggregate-to-" + name }

func clusterBinding(role string, groups ...string) *rbacv1.ClusterRoleBinding {
	b := &rbacv1.ClusterRoleBinding{ObjectMeta: meta(role), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}}
	for _, g := range groups {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: g})
	}
	return b
}

func rule(verbs []string, group string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{group}, Resources: resources}
}

func paths(urls ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: urls}
}

// words is a list in one string.
func words(s string) []string { return strings.Fields(s) }

// viewRules is what may be read by who may not read Secrets.
func viewRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule(readVerbs, "", words(`bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims
			persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale
			replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status`)...),
		rule(readVerbs, "apps", words(`controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets
			replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status`)...),
		rule(readVerbs, "autoscaling", "horizontalpodautoscalers", "horizontalpodautoscalers/status"),
		rule(readVerbs, "batch", "cronjobs", "cronjobs/status", "jobs", "jobs/status"),
		rule(readVerbs, "discovery.k8s.io", "endpointslices"),
		rule(readVerbs, "networking.k8s.io", "ingresses", "ingresses/status", "networkpolicies"),
		rule(readVerbs, "policy", "poddisruptionbudgets", "poddisruptionbudgets/status"),
		rule(readVerbs, "scheduling.k8s.io", "podgroups", "podgroups/status", "workloads"),
		rule(readVerbs, "metrics.k8s.io", "pods", "nodes"),
	}
}

// editRules is what may be changed by who may not give rights away.
func editRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule(readVerbs, "", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"),
		rule([]string{"impersonate"}, "", "serviceaccounts"),
		rule(writeVerbs, "", "pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"),
		rule([]string{"create"}, "", "pods/eviction", "serviceaccounts/token"),
		rule(writeVerbs, "", words(`configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts
			services services/proxy`)...),
		rule(writeVerbs, "apps", words(`daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale`)...),
		rule(writeVerbs, "autoscaling", "horizontalpodautoscalers"),
		rule(writeVerbs, "batch", "cronjobs", "jobs"),
		rule(writeVerbs, "networking.k8s.io", "ingresses", "networkpolicies"),
		rule(writeVerbs, "policy", "poddisruptionbudgets"),
		rule(writeVerbs, "scheduling.k8s.io", "podgroups", "workloads"),
		rule(append(append([]string{}, writeVerbs...), readVerbs...), "coordination.k8s.io", "leases"),
	}
}

// adminRules is what one needs beside editRules to give rights within a namespace.
func adminRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule([]string{"create"}, "authorization.k8s.io", "localsubjectaccessreviews"),
		rule(append(append([]string{}, writeVerbs...), readVerbs...), rbacv1.GroupName, "roles", "rolebindings"),
	}
}
