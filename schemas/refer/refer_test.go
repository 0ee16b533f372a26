package refer

import (
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestObjects(t *testing.T) {
	name := func(n string) v1.LocalObjectReference { return v1.LocalObjectReference{Name: n} }
	env := func(cm, secret, all string) v1.Container {
		return v1.Container{
			Env: []v1.EnvVar{{Name: "PLAIN", Value: "x"},
				{ValueFrom: &v1.EnvVarSource{ConfigMapKeyRef: &v1.ConfigMapKeySelector{LocalObjectReference: name(cm)}}},
				{ValueFrom: &v1.EnvVarSource{SecretKeyRef: &v1.SecretKeySelector{LocalObjectReference: name(secret)}}}},
			EnvFrom: []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: name(all)}},
				{SecretRef: &v1.SecretEnvSource{LocalObjectReference: name(all)}}},
		}
	}
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}, Spec: v1.PodSpec{
		ServiceAccountName: "sa", ImagePullSecrets: []v1.LocalObjectReference{name("pull")},
		InitContainers: []v1.Container{env("c1", "s1", "a1")},
		Containers:     []v1.Container{env("c2", "s2", "a2"), env("c2", "s2", "a2")},
		EphemeralContainers: []v1.EphemeralContainer{{EphemeralContainerCommon: v1.EphemeralContainerCommon{
			EnvFrom: []v1.EnvFromSource{{SecretRef: &v1.SecretEnvSource{LocalObjectReference: name("e3")}}}}}},
		Volumes: []v1.Volume{
			{VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: name("c4")}}},
			{VolumeSource: v1.VolumeSource{Secret: &v1.SecretVolumeSource{SecretName: "s4"}}},
			{VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{
				{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: name("c5")}}, {Secret: &v1.SecretProjection{LocalObjectReference: name("s5")}},
				{ClusterTrustBundle: &v1.ClusterTrustBundleProjection{Name: new("b6")}}, {ClusterTrustBundle: &v1.ClusterTrustBundleProjection{SignerName: new("a.b/c")}},
				{ClusterTrustBundle: &v1.ClusterTrustBundleProjection{SignerName: new("a.b/c")}}}}}},
			{VolumeSource: v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{SecretRef: new(name("chap"))}}},
			{VolumeSource: v1.VolumeSource{CSI: &v1.CSIVolumeSource{NodePublishSecretRef: new(name("publish"))}}},
			{VolumeSource: v1.VolumeSource{FlexVolume: &v1.FlexVolumeSource{SecretRef: new(name("flex"))}}},
			{VolumeSource: v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{}}},
		},
	}}
	want := map[schemas.Resource][]string{
		schemas.ServiceAccounts:     {"sa"},
		schemas.ConfigMaps:          {"c1", "a1", "c2", "a2", "c4", "c5"},
		schemas.Secrets:             {"pull", "s1", "a1", "s2", "a2", "e3", "s4", "s5", "chap", "publish", "flex"},
		schemas.ClusterTrustBundles: {"b6", "a.b/c"},
	}
	got := map[schemas.Resource][]string{}
	for _, r := range Objects(p) {
		if want := map[bool]schemas.Namespace{false: "ns"}[r.Resource == schemas.ClusterTrustBundles]; r.Namespace != want {
			t.Errorf("%s is in another namespace", r)
		}
		got[r.Resource] = append(got[r.Resource], string(r.Name))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if Signer(Anchors("a.b/c")) != "a.b/c" || Signer(schemas.Ref{Resource: schemas.ClusterTrustBundles, Name: "a.b:c:d"}) != "" {
		t.Error("a bundle and all of a signer's are taken for one another")
	}
}
