package defaults

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/skerry/skerry/schemas"
)

// CSIDriver fills in what a storage driver's object does not say.
func CSIDriver(obj schemas.Object) {
	s := &obj.(*storagev1.CSIDriver).Spec
	setIfNil(&s.AttachRequired, true)
	setIfNil(&s.PodInfoOnMount, false)
	setIfNil(&s.StorageCapacity, false)
	setIfNil(&s.FSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)
	if len(s.VolumeLifecycleModes) == 0 {
		s.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	}
	setIfNil(&s.RequiresRepublish, false)
	setIfNil(&s.SELinuxMount, false)
}
