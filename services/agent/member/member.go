// Package member lists the containers of a pod, of every sort, in one way for all
// parts of the agent.
//
// It reads a pod's spec and writes nothing. What always holds: All lists every
// container exactly once: init containers and sidecars in the order of the spec, then the
// main ones, then the ephemeral ones; and names are unique over all of them.
package member

import (
	v1 "k8s.io/api/core/v1"
)

// Sort is what part a container plays in its pod.
type Sort string

const (
	Init      Sort = "init"      // runs to its end before what follows
	Sidecar   Sort = "sidecar"   // an init container that runs on: restartPolicy Always
	Main      Sort = "main"      // does the pod's work
	Ephemeral Sort = "ephemeral" // added to look into a running pod
)

// Container is one of a pod's containers. The spec is the pod's own: do not change it.
type Container struct {
	*v1.Container
	Sort Sort
	// Target is whose processes an ephemeral container sees, "" for its own.
	Target string
}

// All lists a pod's containers.
func All(p *v1.Pod) []Container {
	s := &p.Spec
	out := make([]Container, 0, len(s.InitContainers)+len(s.Containers)+len(s.EphemeralContainers))
	for i := range s.InitContainers {
		c := &s.InitContainers[i]
		sort := Init
		if IsSidecar(c) {
			sort = Sidecar
		}
		out = append(out, Container{Container: c, Sort: sort})
	}
	for i := range s.Containers {
		out = append(out, Container{Container: &s.Containers[i], Sort: Main})
	}
	for i := range s.EphemeralContainers {
		e := &s.EphemeralContainers[i]
		// The API promises that the two types have the same fields.
		out = append(out, Container{Container: (*v1.Container)(&e.EphemeralContainerCommon), Sort: Ephemeral, Target: e.TargetContainerName})
	}
	return out
}

// Find returns the container called name.
func Find(p *v1.Pod, name string) (Container, bool) {
	for _, c := range All(p) {
		if c.Name == name {
			return c, true
		}
	}
	return Container{}, false
}

// Path is where the container stands in its pod, as events name it.
func (c Container) Path() string {
	list := "containers"
	switch c.Sort {
	case Init, Sidecar:
		list = "initContainers"
	case Ephemeral:
		list = "ephemeralContainers"
	}
	return "spec." + list + "{" + c.Name + "}"
}

// PathOf is the Path of the pod's container called name; "" if it has none.
func PathOf(p *v1.Pod, name string) string {
	c, ok := Find(p, name)
	if !ok {
		return ""
	}
	return c.Path()
}

// IsSidecar tells whether an init container is one that runs on.
func IsSidecar(c *v1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
}
