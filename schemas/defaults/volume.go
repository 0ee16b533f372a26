package defaults

import v1 "k8s.io/api/core/v1"

// tokenSeconds is how long a projected service account token lives: an hour.
const tokenSeconds = 3600

// volume fills in the source; a volume without any is an empty directory.
func volume(v *v1.Volume) {
	if v.VolumeSource == (v1.VolumeSource{}) {
		v.EmptyDir = &v1.EmptyDirVolumeSource{}
	}
	if s := v.Image; s != nil {
		setIfZero(&s.PullPolicy, pullPolicy(s.Reference))
	}
	if s := v.HostPath; s != nil {
		setIfNil(&s.Type, v1.HostPathUnset)
	}
	if s := v.Secret; s != nil {
		setIfNil(&s.DefaultMode, v1.SecretVolumeSourceDefaultMode)
	}
	if s := v.ConfigMap; s != nil {
		setIfNil(&s.DefaultMode, v1.ConfigMapVolumeSourceDefaultMode)
	}
	if s := v.DownwardAPI; s != nil {
		setIfNil(&s.DefaultMode, v1.DownwardAPIVolumeSourceDefaultMode)
		downwardFiles(s.Items)
	}
	if s := v.Projected; s != nil {
		projected(s)
	}
	if s := v.Ephemeral; s != nil && s.VolumeClaimTemplate != nil {
		claim := &s.VolumeClaimTemplate.Spec
		setIfNil(&claim.VolumeMode, v1.PersistentVolumeFilesystem)
		round(claim.Resources.Limits)
		round(claim.Resources.Requests)
	}
	legacyVolume(&v.VolumeSource)
}

func projected(s *v1.ProjectedVolumeSource) {
	setIfNil(&s.DefaultMode, v1.ProjectedVolumeSourceDefaultMode)
	for i := range s.Sources {
		if d := s.Sources[i].DownwardAPI; d != nil {
			downwardFiles(d.Items)
		}
		if t := s.Sources[i].ServiceAccountToken; t != nil {
			setIfNil(&t.ExpirationSeconds, tokenSeconds)
		}
		if c := s.Sources[i].PodCertificate; c != nil {
			setIfNil(&c.MaxExpirationSeconds, 24*tokenSeconds)
		}
	}
}

func downwardFiles(files []v1.DownwardAPIVolumeFile) {
	for i := range files {
		fieldRef(files[i].FieldRef)
	}
}

// legacyVolume fills in the in-tree volume types that name a driver's own defaults.
func legacyVolume(v *v1.VolumeSource) {
	if s := v.ISCSI; s != nil {
		setIfZero(&s.ISCSIInterface, "default")
	}
	if s := v.RBD; s != nil {
		setIfZero(&s.RBDPool, "rbd")
		setIfZero(&s.RadosUser, "admin")
		setIfZero(&s.Keyring, "/etc/ceph/keyring")
	}
	if s := v.AzureDisk; s != nil {
		setIfNil(&s.CachingMode, v1.AzureDataDiskCachingReadWrite)
		setIfNil(&s.Kind, v1.AzureSharedBlobDisk)
		setIfNil(&s.FSType, "ext4")
		setIfNil(&s.ReadOnly, false)
	}
	if s := v.ScaleIO; s != nil {
		setIfZero(&s.StorageMode, "ThinProvisioned")
		setIfZero(&s.FSType, "xfs")
	}
}
