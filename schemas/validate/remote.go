package validate

import (
	"path"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// remoteSources are the volume types of storage systems. Skerry mounts few of them,
// but tells what is missing from any.
func remoteSources(s *v1.VolumeSource) []member {
	return []member{
		{"nfs", s.NFS != nil, func(p *field.Path) field.ErrorList { return nfs(p, s.NFS) }},
		{"iscsi", s.ISCSI != nil, func(p *field.Path) field.ErrorList { return iscsi(p, s.ISCSI) }},
		{"gitRepo", s.GitRepo != nil, func(p *field.Path) field.ErrorList {
			return append(need(p, "repository", s.GitRepo.Repository), descending(p.Child("directory"), s.GitRepo.Directory)...)
		}},
		{"gcePersistentDisk", s.GCEPersistentDisk != nil, func(p *field.Path) field.ErrorList {
			return append(need(p, "pdName", s.GCEPersistentDisk.PDName), partition(p, s.GCEPersistentDisk.Partition)...)
		}},
		{"awsElasticBlockStore", s.AWSElasticBlockStore != nil, func(p *field.Path) field.ErrorList {
			return append(need(p, "volumeID", s.AWSElasticBlockStore.VolumeID), partition(p, s.AWSElasticBlockStore.Partition)...)
		}},
		{"glusterfs", s.Glusterfs != nil, func(p *field.Path) field.ErrorList {
			return need(p, "endpoints", s.Glusterfs.EndpointsName, "path", s.Glusterfs.Path)
		}},
		{"rbd", s.RBD != nil, func(p *field.Path) field.ErrorList {
			return need(p, "monitors", strings.Join(s.RBD.CephMonitors, ","), "image", s.RBD.RBDImage)
		}},
		{"flexVolume", s.FlexVolume != nil, func(p *field.Path) field.ErrorList { return flex(p, s.FlexVolume) }},
		{"cinder", s.Cinder != nil, func(p *field.Path) field.ErrorList { return need(p, "volumeID", s.Cinder.VolumeID) }},
		{"cephfs", s.CephFS != nil, func(p *field.Path) field.ErrorList {
			return need(p, "monitors", strings.Join(s.CephFS.Monitors, ","))
		}},
		{"flocker", s.Flocker != nil, func(p *field.Path) field.ErrorList { return flocker(p, s.Flocker) }},
		{"fc", s.FC != nil, func(p *field.Path) field.ErrorList { return fibre(p, s.FC) }},
		{"azureFile", s.AzureFile != nil, func(p *field.Path) field.ErrorList {
			return need(p, "secretName", s.AzureFile.SecretName, "shareName", s.AzureFile.ShareName)
		}},
		{"vsphereVolume", s.VsphereVolume != nil, func(p *field.Path) field.ErrorList { return need(p, "volumePath", s.VsphereVolume.VolumePath) }},
		{"quobyte", s.Quobyte != nil, func(p *field.Path) field.ErrorList {
			return need(p, "registry", s.Quobyte.Registry, "volume", s.Quobyte.Volume)
		}},
		{"azureDisk", s.AzureDisk != nil, func(p *field.Path) field.ErrorList {
			return need(p, "diskName", s.AzureDisk.DiskName, "diskURI", s.AzureDisk.DataDiskURI)
		}},
		{"photonPersistentDisk", s.PhotonPersistentDisk != nil, func(p *field.Path) field.ErrorList {
			return need(p, "pdID", s.PhotonPersistentDisk.PdID)
		}},
		{"portworxVolume", s.PortworxVolume != nil, func(p *field.Path) field.ErrorList { return need(p, "volumeID", s.PortworxVolume.VolumeID) }},
		{"scaleIO", s.ScaleIO != nil, func(p *field.Path) field.ErrorList {
			return need(p, "gateway", s.ScaleIO.Gateway, "system", s.ScaleIO.System, "volumeName", s.ScaleIO.VolumeName)
		}},
		{"storageos", s.StorageOS != nil, func(p *field.Path) field.ErrorList {
			return append(required(p.Child("volumeName"), s.StorageOS.VolumeName, label),
				optional(p.Child("volumeNamespace"), s.StorageOS.VolumeNamespace, label)...)
		}},
	}
}

func nfs(p *field.Path, s *v1.NFSVolumeSource) field.ErrorList {
	relative := s.Path != "" && !path.IsAbs(s.Path)
	return append(need(p, "server", s.Server, "path", s.Path),
		when(relative, field.Invalid(p.Child("path"), s.Path, "must be an absolute path"))...)
}

func partition(p *field.Path, n int32) field.ErrorList {
	const most = 255
	return when(n < 0 || n > most, field.Invalid(p.Child("partition"), n, validation.InclusiveRangeError(1, most)))
}

func flocker(p *field.Path, s *v1.FlockerVolumeSource) field.ErrorList {
	none := s.DatasetName == "" && s.DatasetUUID == ""
	both := s.DatasetName != "" && s.DatasetUUID != ""
	return append(
		when(none, field.Required(p, "one of datasetName and datasetUUID is required")),
		when(both, field.Invalid(p, "resource", "datasetName and datasetUUID can not be specified simultaneously"))...)
}
