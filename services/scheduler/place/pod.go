package place

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// hostPort is a port that a pod takes on its host.
type hostPort struct {
	protocol v1.Protocol
	ip       string
	port     int32
}

// Pod is what placing needs to know of a pod, read once.
type Pod struct {
	UID       types.UID
	Name      string // namespace/name, for explanations
	Namespace string
	// Start is when it started, or was made, in seconds since 1970: of two pods of one
	// priority the younger one is the better victim.
	Start int64
	// Terminating pods hold their resources still, but do not count for spreading.
	Terminating bool
	resizing    bool // its node has not granted yet what it asks for
	*traits

	key   string // of its class in the light of looks; made when it is to be placed
	looks *looks
	shape *shape // made when it is needed
}

// traits are what pods of one template have in common: placed ones have them in memory once.
type traits struct {
	Request  Resources
	Priority int32

	nonzero [2]int64 // cpu, memory for scores: what asks for nothing counts as a little
	labels  labels.Set
	ports   []hostPort
	// group is the controlling owner: pods of one group are spread.
	group types.UID
	spec  *v1.PodSpec
	fence fence
}

// NewPod reads pod, which must not be changed afterwards.
func NewPod(pod *v1.Pod) *Pod {
	p := &Pod{
		UID: pod.UID, Name: pod.Namespace + "/" + pod.Name, Namespace: pod.Namespace,
		Start: pod.CreationTimestamp.Unix(), Terminating: pod.DeletionTimestamp != nil, resizing: Resizing(pod),
		traits: &traits{
			Request: reserved(pod), Priority: ptr.Deref(pod.Spec.Priority, 0),
			labels: pod.Labels, ports: portsOf(&pod.Spec), group: groupOf(pod), spec: &pod.Spec,
		},
	}
	if pod.Status.StartTime != nil {
		p.Start = pod.Status.StartTime.Unix()
	}
	p.nonzero = nonzero(pod, p.Request)
	return p
}

// groupOf is the uid of pod's controlling owner, "" without one.
func groupOf(pod *v1.Pod) types.UID {
	if o := metav1.GetControllerOfNoCopy(pod); o != nil {
		return o.UID
	}
	return ""
}

// Ref names the pod.
func (p *Pod) Ref() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name[len(p.Namespace)+1:]}
}

// Social tells whether the pod may fit once another one is placed.
func Social(pod *v1.Pod) bool {
	a := pod.Spec.Affinity
	return a != nil && a.PodAffinity != nil || len(pod.Spec.TopologySpreadConstraints) > 0
}

// nonzero is the request that scores count: a container that asks for no cpu counts
// as 100m, for no memory as 200 MB, so that such pods spread too.
func nonzero(pod *v1.Pod, r Resources) [2]int64 {
	const defaultCPU, defaultMemory = 100, 200 << 20
	out := [2]int64{r.MilliCPU, r.Memory}
	for i := range pod.Spec.Containers {
		ask := pod.Spec.Containers[i].Resources.Requests
		if _, ok := ask[v1.ResourceCPU]; !ok {
			out[0] += defaultCPU
		}
		if _, ok := ask[v1.ResourceMemory]; !ok {
			out[1] += defaultMemory
		}
	}
	return out
}

func portsOf(s *v1.PodSpec) (ports []hostPort) {
	take := func(cs []v1.Container) {
		for i := range cs {
			for _, port := range cs[i].Ports {
				if port.HostPort > 0 {
					ports = append(ports, hostPort{protocol: port.Protocol, ip: port.HostIP, port: port.HostPort})
				}
			}
		}
	}
	take(s.Containers)
	for i := range s.InitContainers {
		if r := s.InitContainers[i].RestartPolicy; r != nil && *r == v1.ContainerRestartPolicyAlways {
			take(s.InitContainers[i : i+1])
		}
	}
	return ports
}

func (p hostPort) String() string { return string(p.protocol) + "/" + strconv.Itoa(int(p.port)) }

// conflicts tells whether two pods cannot have both ports on one host.
func (p hostPort) conflicts(o hostPort) bool {
	any := func(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }
	return p.port == o.port && p.protocol == o.protocol && (p.ip == o.ip || any(p.ip) || any(o.ip))
}

// compiled returns the pod's constraints, compiled once.
func (p *Pod) compiled() *shape {
	if p.shape == nil {
		p.shape = newShape(p)
	}
	return p.shape
}

// classKey tells pods apart that placing may treat differently: all of them that a filter
// or score reads. Of the labels these are those that a term of a placed pod or the pod's
// own constraints look at, so that pods with a label for each of them are alike.
func (p *Pod) classKey(l *looks) string {
	if p.looks == l {
		return p.key
	}
	b := make([]byte, 0, 256)
	str := func(s string) { b = append(strconv.AppendInt(b, int64(len(s)), 10), ':'); b = append(b, s...) }
	num := func(n int64) { b = append(strconv.AppendInt(b, n, 10), ';') }
	num(l.id)
	str(p.Namespace)
	str(string(p.group))
	num(int64(p.Priority))
	num(p.Request.MilliCPU)
	num(p.Request.Memory)
	num(p.Request.Ephemeral)
	num(p.nonzero[0])
	num(p.nonzero[1])
	for _, name := range slices.Sorted(maps.Keys(p.Request.Scalar)) {
		str(string(name))
		num(p.Request.Scalar[name])
	}
	pairs := func(m map[string]string) {
		num(int64(len(m)))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			str(k)
			str(m[k])
		}
	}
	for _, k := range p.seen(l) {
		str(k)
		str(p.labels[k])
	}
	num(0)
	pairs(p.spec.NodeSelector)
	str(p.spec.NodeName)
	str(p.fence.key)
	str(p.fence.value)
	for _, h := range p.ports {
		str(h.String() + h.ip)
	}
	for i := range p.spec.Tolerations {
		t := &p.spec.Tolerations[i]
		str(t.Key)
		str(string(t.Operator))
		str(t.Value)
		str(string(t.Effect))
	}
	num(int64(len(p.spec.InitContainers)))
	for _, list := range [][]v1.Container{p.spec.InitContainers, p.spec.Containers} {
		for i := range list {
			str(list[i].Image)
		}
	}
	if p.spec.Affinity != nil || len(p.spec.TopologySpreadConstraints) > 0 {
		j, _ := json.Marshal([]any{p.spec.Affinity, p.spec.TopologySpreadConstraints}) // came from JSON
		b = append(b, j...)
	}
	p.key, p.looks = string(b), l
	return p.key
}

// hash orders equal nodes, in an order that says nothing.
func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return mix(h.Sum64())
}

// mix spreads x over all bits (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
