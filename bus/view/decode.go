package view

import (
	"fmt"
	"hash/maphash"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Digest tells values apart that are not kept. Digests hold in one process.
type Digest uint64

var digestSeed = maphash.MakeSeed()

// DigestOf returns the digest of a stored value.
func DigestOf(value []byte) Digest { return Digest(maphash.Bytes(digestSeed, value)) }

// decode reads a stored value. There are many pods, and much of one is the same in others
// and in its other parts.
func (v *View) decode(kind *schemas.Kind, k bus.StateKey, text []byte) (*value, error) {
	prefix := k.Prefix
	switch {
	case !v.pods || kind.Resource != schemas.Pods || prefix == bus.PrefixCurrent:
		return decodeAny(kind, text)
	case prefix == bus.PrefixAssigned:
		o, err := v.pool.Order(text)
		if err != nil {
			return nil, err
		}
		return &value{uid: o.UID, nodeName: o.NodeName, status: some(o.Status), conditions: o.Status.Conditions, digest: DigestOf(text)}, nil
	}
	pod, err := v.pool.Pod(text)
	if err != nil {
		return nil, err
	}
	if prefix == bus.PrefixObserved {
		return &value{uid: pod.UID, nodeName: pod.Spec.NodeName, status: some(pod.Status), conditions: pod.Status.Conditions}, nil
	}
	pod.SetGroupVersionKind(kind.GroupVersionKind())
	if name := string(k.Ref.Name); pod.Name == name {
		pod.Name = name // the memory of the key, which is kept anyway
	}
	return &value{obj: pod, uid: pod.UID, nodeName: pod.Spec.NodeName}, nil
}

// some returns a copy of its own, nil if s says nothing.
func some(s corev1.PodStatus) *corev1.PodStatus {
	if reflect.ValueOf(&s).Elem().IsZero() {
		return nil
	}
	return &s
}

func decodeAny(kind *schemas.Kind, text []byte) (*value, error) {
	obj := kind.New()
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return decodeUntyped(kind, u, text)
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, obj); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind.Kind, err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	return &value{obj: obj, uid: obj.GetUID()}, nil
}

// decodeUntyped reads an object that takes in whatever the text has: who wrote it is not part of it.
func decodeUntyped(kind *schemas.Kind, u *unstructured.Unstructured, text []byte) (*value, error) {
	clear(u.Object)
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &u.Object); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind.Resource, err)
	}
	if u.Object == nil {
		return nil, fmt.Errorf("decode %s: it is null", kind.Resource)
	}
	delete(u.Object, bus.WrittenBy)
	if kind.Kind != "" {
		u.SetGroupVersionKind(kind.GroupVersionKind())
	}
	return &value{obj: u, uid: u.GetUID()}, nil
}
