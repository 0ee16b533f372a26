package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// volume replaces the volume that nothing but the app's first mount uses.
func volume(s v1.VolumeSource) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Volumes[0].VolumeSource = s
		app(p).VolumeMounts = app(p).VolumeMounts[1:]
	}
}

func volumeAt(part string) string { return "spec.volumes[0]" + part }

func TestVolumes(t *testing.T) {
	mode := new(int32(0o1000))
	runPods(t, []podCase{
		{"no name", func(p *v1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, p.Spec.Volumes[0])
			p.Spec.Volumes[2].Name = ""
		},
			one(required, "spec.volumes[2].name", "")},
		{"same name", func(p *v1.Pod) { p.Spec.Volumes = append(p.Spec.Volumes, p.Spec.Volumes[0]) },
			one(duplicate, "spec.volumes[2].name", "data")},
		{"bad name", func(p *v1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, p.Spec.Volumes[0])
			p.Spec.Volumes[2].Name = "A"
		},
			one(invalid, "spec.volumes[2].name", "RFC 1123")},
		{"none", volume(v1.VolumeSource{}), one(required, volumeAt(""), "must specify a volume type")},
		{"two", volume(v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}, HostPath: &v1.HostPathVolumeSource{}}),
			one(forbidden, volumeAt(".hostPath"), "more than 1 volume type")},
		{"emptyDir", volume(v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("-1")), Mode: new(int32(-1))}}),
			[]fault{{forbidden, volumeAt(".emptyDir.sizeLimit"), "SizeLimit"}, {invalid, volumeAt(".emptyDir.mode"), "01777"}}},
		{"hostPath", volume(v1.VolumeSource{HostPath: &v1.HostPathVolumeSource{Path: "/a/../b", Type: new(v1.HostPathType("Dir"))}}),
			[]fault{{invalid, volumeAt(".hostPath.path"), "'..'"}, {unsupported, volumeAt(".hostPath.type"), `"DirectoryOrCreate"`}}},
		{"secret", volume(v1.VolumeSource{Secret: &v1.SecretVolumeSource{DefaultMode: mode,
			Items: []v1.KeyToPath{{Path: "../x", Mode: mode}, {Key: "k", Path: "..x"}}}}), []fault{
			{required, volumeAt(".secret.secretName"), ""}, {invalid, volumeAt(".secret.defaultMode"), "0777"},
			{required, volumeAt(".secret.items[0].key"), ""}, {invalid, volumeAt(".secret.items[0].path"), "must not contain '..'"},
			{invalid, volumeAt(".secret.items[0].mode"), "0777"}, {invalid, volumeAt(".secret.items[1].path"), "must not start with '..'"},
		}},
		{"configMap", volume(v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{DefaultMode: new(int32(-1))}}),
			[]fault{{required, volumeAt(".configMap.name"), ""}, {invalid, volumeAt(".configMap.defaultMode"), "0777"}}},
		{"downwardAPI", volume(v1.VolumeSource{DownwardAPI: &v1.DownwardAPIVolumeSource{DefaultMode: mode, Items: []v1.DownwardAPIVolumeFile{
			{Path: "/a"}, {Path: "l", FieldRef: &v1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}},
			{Path: "c", ResourceFieldRef: &v1.ResourceFieldSelector{Resource: "limits.cpu"}},
		}}}), []fault{
			{invalid, volumeAt(".downwardAPI.defaultMode"), "0777"}, {invalid, volumeAt(".downwardAPI.items[0].path"), "relative"},
			{required, volumeAt(".downwardAPI.items[0]"), "one of fieldRef"}, {unsupported, volumeAt(".downwardAPI.items[1].fieldRef.fieldPath"), "metadata.labels"},
			{required, volumeAt(".downwardAPI.items[2].resourceFieldRef.containerName"), ""},
		}},
		{"claim", volume(v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{}}),
			one(required, volumeAt(".persistentVolumeClaim.claimName"), "")},
		{"image", volume(v1.VolumeSource{Image: &v1.ImageVolumeSource{PullPolicy: "x"}}),
			[]fault{{required, volumeAt(".image.reference"), ""}, {unsupported, volumeAt(".image.pullPolicy"), "Always"}}},
		{"csi", volume(v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: "a_b", NodePublishSecretRef: &v1.LocalObjectReference{}}}),
			[]fault{{invalid, volumeAt(".csi.driver"), "RFC 1123"}, {required, volumeAt(".csi.nodePublishSecretRef.name"), ""}}},
		{"nfs", volume(v1.VolumeSource{NFS: &v1.NFSVolumeSource{Path: "a"}}),
			[]fault{{required, volumeAt(".nfs.server"), ""}, {invalid, volumeAt(".nfs.path"), "absolute"}}},
		{"iscsi", volume(v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{IQN: "x", Lun: 256}}), []fault{
			{required, volumeAt(".iscsi.targetPortal"), ""}, {invalid, volumeAt(".iscsi.iqn"), "starting with"}, {invalid, volumeAt(".iscsi.lun"), "between 0 and 255"},
		}},
		{"iscsi names", volume(v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{TargetPortal: "p", IQN: "iqn.2001-04.com.example", InitiatorName: new("eui.1"), SessionCHAPAuth: true}}), []fault{
			{invalid, volumeAt(".iscsi.iqn"), "must be valid format"}, {required, volumeAt(".iscsi.secretRef"), ""}, {invalid, volumeAt(".iscsi.initiatorname"), "must be valid format"},
		}},
		{"good iscsi", volume(v1.VolumeSource{ISCSI: &v1.ISCSIVolumeSource{TargetPortal: "p", IQN: "naa.62004567BA64678D0123456789ABCDEF", InitiatorName: new("iqn.2001-04.com.example:a")}}), nil},
		{"fc", volume(v1.VolumeSource{FC: &v1.FCVolumeSource{TargetWWNs: []string{"a"}}}), one(required, volumeAt(".fc.lun"), "lun is required")},
		{"fc without a target", volume(v1.VolumeSource{FC: &v1.FCVolumeSource{}}), one(required, volumeAt(".fc.targetWWNs"), "must specify either targetWWNs or wwids")},
		{"fc twice", volume(v1.VolumeSource{FC: &v1.FCVolumeSource{TargetWWNs: []string{"a"}, WWIDs: []string{"b"}, Lun: new(int32(256))}}), []fault{
			{invalid, volumeAt(".fc.targetWWNs"), "targetWWNs and wwids can not be specified simultaneously"}, {invalid, volumeAt(".fc.lun"), "between 0 and 255"}}},
		{"flex", volume(v1.VolumeSource{FlexVolume: &v1.FlexVolumeSource{Options: map[string]string{"a": "", "Kubernetes.io/b": "", "x.k8s.io/c": "", "notk8s.io/d": ""}}}), []fault{
			{required, volumeAt(".flexVolume.driver"), ""}, {invalid, volumeAt(".flexVolume.options[Kubernetes.io/b]"), "namespaces are reserved"},
			{invalid, volumeAt(".flexVolume.options[x.k8s.io/c]"), "namespaces are reserved"}}},
		{"gce", volume(v1.VolumeSource{GCEPersistentDisk: &v1.GCEPersistentDiskVolumeSource{Partition: 256}}),
			[]fault{{required, volumeAt(".gcePersistentDisk.pdName"), ""}, {invalid, volumeAt(".gcePersistentDisk.partition"), "between"}}},
		{"flocker", volume(v1.VolumeSource{Flocker: &v1.FlockerVolumeSource{}}), one(required, volumeAt(".flocker"), "one of datasetName")},
		{"rbd", volume(v1.VolumeSource{RBD: &v1.RBDVolumeSource{RBDImage: "i"}}), one(required, volumeAt(".rbd.monitors"), "")},
	})
}

func TestProjectedVolumes(t *testing.T) {
	at := func(part string) string { return volumeAt(".projected" + part) }
	token := func(path string, seconds int64) v1.VolumeProjection {
		return v1.VolumeProjection{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Path: path, ExpirationSeconds: &seconds}}
	}
	cm := func(name, path string) *v1.ConfigMapProjection {
		return &v1.ConfigMapProjection{LocalObjectReference: v1.LocalObjectReference{Name: name}, Items: []v1.KeyToPath{{Key: "k", Path: path}}}
	}
	set := func(sources ...v1.VolumeProjection) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.ServiceAccountName = "sa"
			volume(v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: sources}})(p)
		}
	}
	runPods(t, []podCase{
		{"good", set(token("t", 600), v1.VolumeProjection{ConfigMap: cm("c", "k")}), nil},
		{"twice", set(v1.VolumeProjection{ConfigMap: cm("c", "k")}, v1.VolumeProjection{ConfigMap: cm("", "k")}), []fault{
			{required, at(".sources[1].configMap.name"), ""}, {invalid, at(".sources[1].configMap.items[0].path"), "conflicting duplicate"}}},
		{"two in one", set(v1.VolumeProjection{ConfigMap: cm("c", "k"), Secret: &v1.SecretProjection{LocalObjectReference: v1.LocalObjectReference{Name: "s"}}}),
			one(forbidden, at(".sources[0]"), "more than 1 volume type per source")},
		{"token", set(token("", 599)), []fault{{required, at(".sources[0].serviceAccountToken.path"), ""},
			{invalid, at(".sources[0].serviceAccountToken.expirationSeconds"), "less than 10 minutes"}}},
		{"long token", set(token("t", 1<<33)), one(invalid, at(".sources[0].serviceAccountToken.expirationSeconds"), "2^32")},
		{"no account", func(p *v1.Pod) { set(token("t", 600))(p); p.Spec.ServiceAccountName = "" },
			one(forbidden, at(".sources[0].serviceAccountToken"), "serviceAccountName")},
	})
}

func TestEphemeralVolumes(t *testing.T) {
	at := func(part string) string { return volumeAt(".ephemeral.volumeClaimTemplate" + part) }
	runPods(t, []podCase{
		{"no template", volume(v1.VolumeSource{Ephemeral: &v1.EphemeralVolumeSource{}}), one(required, at(""), "")},
		{"empty", volume(v1.VolumeSource{Ephemeral: &v1.EphemeralVolumeSource{VolumeClaimTemplate: &v1.PersistentVolumeClaimTemplate{}}}),
			[]fault{{required, at(".spec.accessModes"), "at least 1"}, {required, at(".spec.resources.requests[storage]"), ""}}},
		{"faults", volume(v1.VolumeSource{Ephemeral: &v1.EphemeralVolumeSource{VolumeClaimTemplate: &v1.PersistentVolumeClaimTemplate{
			Spec: v1.PersistentVolumeClaimSpec{
				AccessModes: []v1.PersistentVolumeAccessMode{v1.ReadWriteOncePod, "Write"}, VolumeMode: new(v1.PersistentVolumeMode("x")),
				Resources: v1.VolumeResourceRequirements{Requests: v1.ResourceList{v1.ResourceStorage: resource.MustParse("0")}},
			}}}}), []fault{
			{unsupported, at(".spec.accessModes[1]"), "ReadWriteOnce"}, {forbidden, at(".spec.accessModes"), "ReadWriteOncePod"},
			{invalid, at(".spec.resources.requests[storage]"), "greater than zero"}, {unsupported, at(".spec.volumeMode"), "Block"},
		}},
	})
}

func TestMounts(t *testing.T) {
	at := func(part string) string { return appAt(".volumeMounts[0]" + part) }
	mount := func(change func(*v1.VolumeMount)) func(*v1.Pod) {
		return func(p *v1.Pod) { change(&app(p).VolumeMounts[0]) }
	}
	runPods(t, []podCase{
		{"no name", mount(func(m *v1.VolumeMount) { m.Name = "" }), one(required, at(".name"), "")},
		{"lost", mount(func(m *v1.VolumeMount) { m.Name = "gone" }), one(notFound, at(".name"), "gone")},
		{"no path", mount(func(m *v1.VolumeMount) { m.MountPath = "" }), one(required, at(".mountPath"), "")},
		{"same path", func(p *v1.Pod) { app(p).VolumeMounts[1].MountPath = "/data" }, one(invalid, appAt(".volumeMounts[1].mountPath"), "must be unique")},
		{"subPath", mount(func(m *v1.VolumeMount) { m.SubPath = "/a" }), one(invalid, at(".subPath"), "relative")},
		{"both", mount(func(m *v1.VolumeMount) { m.SubPath, m.SubPathExpr = "a", "../b" }),
			[]fault{{invalid, at(".subPathExpr"), "'..'"}, {invalid, at(".subPathExpr"), "mutually exclusive"}}},
		{"propagation", mount(func(m *v1.VolumeMount) { m.MountPropagation = new(v1.MountPropagationMode("x")) }),
			one(unsupported, at(".mountPropagation"), `"Bidirectional"`)},
		{"bidirectional", mount(func(m *v1.VolumeMount) { m.MountPropagation = new(v1.MountPropagationBidirectional) }),
			one(forbidden, at(".mountPropagation"), "privileged")},
		{"recursive", mount(func(m *v1.VolumeMount) { m.RecursiveReadOnly = new(v1.RecursiveReadOnlyEnabled) }),
			one(forbidden, at(".recursiveReadOnly"), "readOnly is true")},
		{"devices", func(p *v1.Pod) {
			app(p).VolumeDevices = []v1.VolumeDevice{{Name: "conf", DevicePath: "/dev/../x"}, {Name: "gone", DevicePath: "/data"}, {}}
		}, []fault{
			{invalid, appAt(".volumeDevices[0].name"), "PersistentVolumeClaim"}, {invalid, appAt(".volumeDevices[0].devicePath"), "'..'"},
			{notFound, appAt(".volumeDevices[1].name"), "gone"}, {required, appAt(".volumeDevices[2].name"), ""},
			{required, appAt(".volumeDevices[2].devicePath"), ""}, {invalid, at(".mountPath"), "volumeDevices"},
			{invalid, appAt(".volumeMounts[1].name"), "volumeDevices"},
		}},
		{"faulty volume", func(p *v1.Pod) { p.Spec.Volumes[1].ConfigMap.Name = "" },
			[]fault{{required, "spec.volumes[1].configMap.name", ""}, {notFound, appAt(".volumeMounts[1].name"), "conf"}}},
	})
}
