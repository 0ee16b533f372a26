package share

import (
	"bytes"
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
)

// Pod decodes a pod. Its kind and version are left out.
func (p *Pool) Pod(data []byte) (*v1.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod := &v1.Pod{}
	if p.pod(data, pod) {
		return pod, nil
	}
	pod = &v1.Pod{} // ordinarily: it fails as it should, or it is of a form that is not expected
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, pod); err != nil {
		return nil, fmt.Errorf("decode Pod: %w", err)
	}
	return pod, nil
}

// pod takes what pods have in common from the pool and decodes the rest.
func (p *Pool) pod(data []byte, pod *v1.Pod) bool {
	meta, status := false, false
	p.rest = append(p.rest[:0], '{')
	part := func(name string, raw []byte, done *bool, share func(name, raw []byte) (bool, bool)) bool {
		if *done {
			return false
		}
		*done = true
		p.begin(name)
		ok := fields(raw, func(name, raw []byte) bool {
			shared, ok := share(name, raw)
			if ok && !shared {
				p.keep(name, raw)
			}
			return ok
		})
		p.end()
		return ok
	}
	ok := fields(data, func(name, raw []byte) bool {
		switch string(name) {
		case "metadata":
			return part("metadata", raw, &meta, func(name, raw []byte) (bool, bool) { return p.metadata(name, raw, pod) })
		case "spec":
			return p.spec(raw, &pod.Spec)
		case "status":
			return part("status", raw, &status, func(name, raw []byte) (bool, bool) { return p.status(name, raw, pod) })
		}
		return true
	})
	if !ok {
		return false
	}
	p.end()
	if kjson.UnmarshalCaseSensitivePreserveInts(p.rest, pod) != nil {
		return false
	}
	p.shareTexts(pod)
	return true
}

// spec decodes a spec. Where a pod is differs among pods that have all else in common.
func (p *Pool) spec(raw []byte, spec *v1.PodSpec) bool {
	rest, node := p.placeless(raw)
	if !set(&p.specs, rest, spec) {
		return false
	}
	if node != nil {
		spec.NodeName = p.same(string(node))
	}
	return true
}

// placeless returns a spec's text without the name of the node, and that name; raw itself and
// nil if there is none, or it is not as usual.
func (p *Pool) placeless(raw []byte) (rest, node []byte) {
	if !bytes.Contains(raw, []byte(`"nodeName"`)) {
		return raw, nil
	}
	p.place = append(p.place[:0], '{')
	ok := fields(raw, func(name, value []byte) bool {
		if string(name) == "nodeName" {
			once := node == nil
			node = bytes.Trim(value, `"`)
			return once && len(value) == len(node)+2 && plain(node)
		}
		p.place = field(p.place, name, value)
		return true
	})
	if !ok || node == nil {
		return raw, nil
	}
	p.place = append(p.place, '}')
	return p.place, node
}

// plain tells whether a string's text is the string itself.
func plain(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c > '~' || c == '\\' })
}

// begin, keep and end write what is left of an object.
func (p *Pool) begin(name string) {
	if p.rest[len(p.rest)-1] != '{' {
		p.rest = append(p.rest, ',')
	}
	p.rest = append(append(append(p.rest, '"'), name...), `":{`...)
}

func (p *Pool) keep(name, raw []byte) { p.rest = field(p.rest, name, raw) }

// field appends a field to an object's text.
func field(text, name, raw []byte) []byte {
	if text[len(text)-1] != '{' {
		text = append(text, ',')
	}
	return append(append(append(append(text, '"'), name...), `":`...), raw...)
}

func (p *Pool) end() { p.rest = append(p.rest, '}') }

func (p *Pool) metadata(name, raw []byte, pod *v1.Pod) (shared, ok bool) {
	switch string(name) {
	case "labels":
		return true, set(&p.maps, raw, &pod.Labels)
	case "annotations":
		return true, set(&p.maps, raw, &pod.Annotations)
	case "ownerReferences":
		return true, set(&p.owners, raw, &pod.OwnerReferences)
	case "managedFields":
		return true, set(&p.managed, raw, &pod.ManagedFields)
	}
	return false, true
}

func (p *Pool) status(name, raw []byte, pod *v1.Pod) (shared, ok bool) {
	switch string(name) {
	case "conditions":
		return true, set(&p.conds, raw, &pod.Status.Conditions)
	case "hostIPs":
		return true, set(&p.hosts, raw, &pod.Status.HostIPs)
	case "startTime":
		return true, set(&p.times, raw, &pod.Status.StartTime)
	}
	return false, true
}

// shareTexts has the strings that many pods have in memory once.
func (p *Pool) shareTexts(pod *v1.Pod) {
	pod.Namespace, pod.GenerateName = p.same(pod.Namespace), p.same(pod.GenerateName)
	s := &pod.Status
	s.HostIP, s.Phase, s.QOSClass = p.same(s.HostIP), v1.PodPhase(p.same(string(s.Phase))), v1.PodQOSClass(p.same(string(s.QOSClass)))
	for i := range s.ContainerStatuses {
		c := &s.ContainerStatuses[i]
		c.Name, c.Image, c.ImageID = p.same(c.Name), p.same(c.Image), p.same(c.ImageID)
		p.shareState(c)
	}
	if len(s.PodIPs) > 0 && s.PodIPs[0].IP == s.PodIP {
		s.PodIPs[0].IP = s.PodIP
	}
}
