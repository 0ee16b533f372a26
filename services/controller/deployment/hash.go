package deployment

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/rand"

	appsv1 "k8s.io/api/apps/v1"
)

// templateHash names a pod template: FNV-32a over its JSON, which, unlike a dump of
// the Go struct, stays the same when the type gains a field, and over the
// collision count, in the alphabet that Kubernetes uses for generated names.
func templateHash(template *corev1.PodTemplateSpec, collisions *int32) string {
	h := fnv.New32a()
	// A template that came out of the store has a JSON form: it cannot fail.
	b, _ := json.Marshal(template)
	_, _ = h.Write(b)
	if collisions != nil {
		var n [8]byte
		binary.LittleEndian.PutUint32(n[:], uint32(*collisions))
		_, _ = h.Write(n[:])
	}
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32()))
}

// sameTemplate compares templates, ignoring the pod-template-hash label.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	a, b = a.DeepCopy(), b.DeepCopy()
	delete(a.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(b.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return apiequality.Semantic.DeepEqual(a, b)
}
