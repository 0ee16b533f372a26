package sandbox

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Labels of what the agent makes. A sandbox's are on its infra container too.
const (
	LabelUID       = "io.skerry.pod.uid"
	LabelNamespace = "io.skerry.pod.namespace"
	LabelPod       = "io.skerry.pod.name"
	LabelGrace     = "io.skerry.pod.grace"
	LabelNetwork   = "io.skerry.pod.network" // "host" or the network's name
	LabelUsers     = "io.skerry.pod.users"   // first host id, if the pod has users of its own
	LabelContainer = "io.skerry.container.name"
	LabelAttempt   = "io.skerry.container.restarts"
	LabelHash      = "io.skerry.container.hash"
)

// Name is the sandbox's name: <namespace>_<pod>_<first 8 of the uid>.
func (s Spec) Name() string {
	uid := string(s.UID)
	if len(uid) > 8 {
		uid = uid[:8]
	}
	return string(s.Key.Namespace) + "_" + string(s.Key.Name) + "_" + uid
}

// InfraName is the name of the container that holds the sandbox's namespaces.
func (s Spec) InfraName() string { return s.Name() + "-infra" }

// Labels are the sandbox's labels.
func (s Spec) Labels() map[string]string {
	network := s.Network
	if s.HostNetwork {
		network = "host"
	}
	l := map[string]string{
		LabelUID:       string(s.UID),
		LabelNamespace: string(s.Key.Namespace),
		LabelPod:       string(s.Key.Name),
		LabelGrace:     strconv.FormatInt(int64(s.Grace/time.Second), 10),
		LabelNetwork:   network,
	}
	if s.Namespaces.Users != 0 {
		l[LabelUsers] = strconv.FormatUint(uint64(s.Namespaces.Users), 10)
	}
	return l
}

// FullName is the container's name: <sandbox>_<container>_<attempt>.
func (c ContainerSpec) FullName() string {
	return c.Sandbox.Name() + "_" + c.Name + "_" + strconv.Itoa(c.Attempt)
}

// Labels are the container's labels, its sandbox's included.
func (c ContainerSpec) Labels() map[string]string {
	l := c.Sandbox.Labels()
	l[LabelContainer] = c.Name
	l[LabelAttempt] = strconv.Itoa(c.Attempt)
	l[LabelHash] = c.Hash
	return l
}

// FromLabels fills in what labels tell about a sandbox; false if they are not
// a sandbox's of Skerry.
func (p *Pod) FromLabels(l map[string]string) bool {
	p.UID = types.UID(l[LabelUID])
	p.Key = KeyOf(l)
	if p.UID == "" || p.Key.Name == "" {
		return false
	}
	seconds, err := strconv.ParseInt(l[LabelGrace], 10, 32)
	if err != nil || seconds < 0 {
		seconds = 30
	}
	p.Grace = time.Duration(seconds) * time.Second
	p.HostNetwork = l[LabelNetwork] == "host"
	users, _ := strconv.ParseUint(l[LabelUsers], 10, 32) // 0 if there is none
	p.Users = uint32(users)
	return true
}

// FromLabels fills in what labels tell about a container.
func (c *Container) FromLabels(l map[string]string) {
	c.Name = l[LabelContainer]
	c.Hash = l[LabelHash]
	c.Attempt, _ = strconv.Atoi(l[LabelAttempt])
}

// KeyOf is the pod that labels belong to; its Name is "" if they are no pod's.
func KeyOf(l map[string]string) Key {
	return Key{Namespace: schemas.Namespace(l[LabelNamespace]), Name: schemas.Name(l[LabelPod])}
}
