//go:build linux

package volume

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// BenchmarkAutomount is what the volume with a pod's own token costs its start on the
// host, beside asking for the token.
func BenchmarkAutomount(b *testing.B) {
	g := newRig(b)
	optional := true
	source := v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{
		{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr(int64(3607))}},
		{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: v1.LocalObjectReference{Name: "kube-root-ca.crt"}, Optional: &optional}},
		{DownwardAPI: &v1.DownwardAPIProjection{Items: []v1.DownwardAPIVolumeFile{{Path: "namespace", FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
	}}}
	n := 0
	for b.Loop() {
		n++
		p := pod(v1.Volume{Name: "kube-api-access-abcde", VolumeSource: source})
		p.UID = types.UID(fmt.Sprint("uid-", n))
		if err := g.Prepare(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		if _, err := g.mounts(p, v1.VolumeMount{Name: "kube-api-access-abcde", MountPath: "/x"}); err != nil {
			b.Fatal(err)
		}
	}
}
