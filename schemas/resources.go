package schemas

// The resources that services name in code. Everything else goes by the table.
var (
	Namespaces      = Resource{Plural: "namespaces"}
	Nodes           = Resource{Plural: "nodes"}
	Pods            = Resource{Plural: "pods"}
	ConfigMaps      = Resource{Plural: "configmaps"}
	Secrets         = Resource{Plural: "secrets"}
	ServiceAccounts = Resource{Plural: "serviceaccounts"}
	Services        = Resource{Plural: "services"}
	Endpoints       = Resource{Plural: "endpoints"}
	Events          = Resource{Plural: "events"}
	Deployments     = Resource{Group: "apps", Plural: "deployments"}
	ReplicaSets     = Resource{Group: "apps", Plural: "replicasets"}
	EndpointSlices  = Resource{Group: "discovery.k8s.io", Plural: "endpointslices"}
	Leases          = Resource{Group: "coordination.k8s.io", Plural: "leases"}
	RuntimeClasses  = Resource{Group: "node.k8s.io", Plural: "runtimeclasses"}
	PriorityClasses = Resource{Group: "scheduling.k8s.io", Plural: "priorityclasses"}

	CSIDrivers = Resource{Group: "storage.k8s.io", Plural: "csidrivers"}

	ClusterTrustBundles    = Resource{Group: "certificates.k8s.io", Plural: "clustertrustbundles"}
	PodCertificateRequests = Resource{Group: "certificates.k8s.io", Plural: "podcertificaterequests"}
	// Signers are no objects: roles name them, to say who may sign or attest for whom.
	Signers = Resource{Group: "certificates.k8s.io", Plural: "signers"}

	Roles               = Resource{Group: "rbac.authorization.k8s.io", Plural: "roles"}
	RoleBindings        = Resource{Group: "rbac.authorization.k8s.io", Plural: "rolebindings"}
	ClusterRoles        = Resource{Group: "rbac.authorization.k8s.io", Plural: "clusterroles"}
	ClusterRoleBindings = Resource{Group: "rbac.authorization.k8s.io", Plural: "clusterrolebindings"}

	SubjectAccessReviews      = Resource{Group: "authorization.k8s.io", Plural: "subjectaccessreviews"}
	LocalSubjectAccessReviews = Resource{Group: "authorization.k8s.io", Plural: "localsubjectaccessreviews"}
	SelfSubjectAccessReviews  = Resource{Group: "authorization.k8s.io", Plural: "selfsubjectaccessreviews"}
	SelfSubjectRulesReviews   = Resource{Group: "authorization.k8s.io", Plural: "selfsubjectrulesreviews"}
	TokenReviews              = Resource{Group: "authentication.k8s.io", Plural: "tokenreviews"}
	SelfSubjectReviews        = Resource{Group: "authentication.k8s.io", Plural: "selfsubjectreviews"}

	PodGroups            = Resource{Group: "scheduling.k8s.io", Plural: "podgroups"}
	Workloads            = Resource{Group: "scheduling.k8s.io", Plural: "workloads"}
	PodDisruptionBudgets = Resource{Group: "policy", Plural: "poddisruptionbudgets"}
)
