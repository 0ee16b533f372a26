package share

import (
	"bytes"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Lean is a pod of which all but its name, its uid and its node is that of others too, where
// there are others like it. It takes a tenth of a pod's memory, for who keeps many and looks at
// few. Nobody changes one: a changed pod is another.
type Lean struct {
	frame *v1.Pod // without name, uid and node
	name  string
	uid   types.UID
	node  string
}

// Slim keeps pod, which nobody may change from then on, by itself: nothing is shared but what
// pod shares already.
func Slim(pod *v1.Pod) *Lean {
	frame := *pod
	frame.Name, frame.UID, frame.Spec.NodeName = "", "", ""
	return &Lean{frame: &frame, name: pod.Name, uid: pod.UID, node: pod.Spec.NodeName}
}

// Pod makes the pod. What is below it is shared, and not to be changed.
func (l *Lean) Pod() *v1.Pod {
	pod := *l.frame
	pod.Name, pod.UID, pod.Spec.NodeName = l.name, l.uid, l.node
	return &pod
}

// Namespace, Name and UID say which pod it is.
func (l *Lean) Namespace() string { return l.frame.Namespace }
func (l *Lean) Name() string      { return l.name }
func (l *Lean) UID() types.UID    { return l.uid }

// Spec is the pod's, shared, but for its node.
func (l *Lean) Spec() *v1.PodSpec { return &l.frame.Spec }

// Lean decodes a pod as Pod does, with its kind and version. If name is the pod's, the memory of
// name is used.
func (p *Pool) Lean(data []byte, name string) (*Lean, error) {
	p.mu.Lock()
	l := p.lean(data)
	p.mu.Unlock()
	if l == nil {
		pod, err := p.Pod(data)
		if err != nil {
			return nil, err
		}
		pod.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind("Pod"))
		l = Slim(pod)
	}
	if l.name == name {
		l.name = name
	}
	return l, nil
}

// lean decodes what is left of a pod's text without its name, uid and node once for all that have
// the same left: those of one template that were made in the same second. It returns nil for
// text that is not as usual.
func (p *Pool) lean(data []byte) *Lean {
	l, specs := &Lean{}, 0
	p.frame = append(p.frame[:0], '{')
	ok := fields(data, func(name, raw []byte) bool {
		switch string(name) {
		case "metadata":
			p.frame = append(field(p.frame, name, nil), '{')
			ok := fields(raw, func(name, raw []byte) bool { return p.identity(l, name, raw) })
			p.frame = append(p.frame, '}')
			return ok
		case "spec":
			specs++
			rest, node := p.placeless(raw)
			l.node, raw = p.same(string(node)), rest
		}
		p.frame = field(p.frame, name, raw)
		return true
	})
	if p.frame = append(p.frame, '}'); !ok || specs > 1 || l.name == "" || l.uid == "" {
		return nil
	}
	if l.frame, ok = p.frames.known(p.frame); ok {
		return l
	}
	l.frame = &v1.Pod{}
	if f := l.frame; !p.pod(p.frame, f) || f.Name != "" || f.UID != "" || f.Spec.NodeName != "" {
		return nil
	}
	l.frame.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind("Pod"))
	p.frames.put(string(p.frame), l.frame)
	return l
}

// identity takes out a field of the metadata that tells a pod from others, and keeps any other.
func (p *Pool) identity(l *Lean, name, raw []byte) bool {
	text := bytes.Trim(raw, `"`)
	single := len(raw) == len(text)+2 && plain(text)
	switch string(name) {
	case "name":
		once := l.name == ""
		l.name = string(text)
		return once && single
	case "uid":
		once := l.uid == ""
		l.uid = types.UID(text)
		return once && single
	}
	p.frame = field(p.frame, name, raw)
	return true
}
