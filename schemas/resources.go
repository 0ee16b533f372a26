package schemas

// The resources that services name in code. Everything else goes by the table.
var (
	Namespaces      = Resource{Plural: "namespaces"}
	Nodes           = Resource{Plural: "nodes"}
	Pods            = Resource{Plural: "pods"}
	ConfigMaps      = Resource{Plural: "configmaps"}
	Secrets         = Resource{Plural: "secrets"}
	ServiceAccounts = Resource{Plural: "serviceaccounts"}
	Events          = Resource{Plural: "events"}
	Deployments     = Resource{Group: "apps", Plural: "deployments"}
	ReplicaSets     = Resource{Group: "apps", Plural: "replicasets"}
	Leases          = Resource{Group: "coordination.k8s.io", Plural: "leases"}
	PriorityClasses = Resource{Group: "scheduling.k8s.io", Plural: "priorityclasses"}
)
