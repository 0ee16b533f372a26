package record

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// maxMessage is the API's limit for an event's note (1024 bytes).
const maxMessage = 1024

// maxName is the longest name of an object that leaves room for ".<hash>".
const maxName = 253 - 1 - 16

// newEvent builds the event. Its name is that of every repetition.
func newEvent(kind schema.GroupVersionKind, obj schemas.Object, fieldPath string, source corev1.EventSource, eventType, reason, message string, now time.Time) *corev1.Event {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	namespace := obj.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where Kubernetes keeps those of cluster-scoped objects
	}
	at := metav1.NewTime(now)
	return &corev1.Event{
		TypeMeta:   metav1.TypeMeta{Kind: "Event", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: eventName(obj, fieldPath, source.Component, eventType, reason, message), Namespace: namespace},
		InvolvedObject: corev1.ObjectReference{
			Kind:            kind.Kind,
			APIVersion:      kind.GroupVersion().String(),
			Namespace:       obj.GetNamespace(),
			Name:            obj.GetName(),
			UID:             obj.GetUID(),
			ResourceVersion: obj.GetResourceVersion(),
			FieldPath:       fieldPath,
		},
		Reason:              reason,
		Message:             message,
		Source:              source,
		FirstTimestamp:      at,
		LastTimestamp:       at,
		Count:               1,
		Type:                eventType,
		ReportingController: source.Component,
		ReportingInstance:   source.Host,
	}
}

// eventName is <object>.<hash>, the same for the same thing happening again: the
// apiserver counts instead of keeping two.
func eventName(obj schemas.Object, fieldPath, component, eventType, reason, message string) string {
	h := sha256.New()
	for _, s := range []string{string(obj.GetUID()), eventType, reason, message, component, fieldPath} {
		h.Write([]byte(s))
		h.Write([]byte{0}) // so that parts cannot be shifted into each other
	}
	name := obj.GetName()
	if len(name) > maxName {
		name = strings.TrimRight(name[:maxName], ".-")
	}
	return name + "." + hex.EncodeToString(h.Sum(nil)[:8])
}
