package admit

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// pullSecrets gives a pod that names none the image pull secrets of its service account.
func pullSecrets(s State, p *v1.Pod) {
	if len(p.Spec.ImagePullSecrets) > 0 {
		return
	}
	obj, _ := s.Get(schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Spec.ServiceAccountName)})
	if a, ok := obj.(*v1.ServiceAccount); ok {
		p.Spec.ImagePullSecrets = append(p.Spec.ImagePullSecrets, a.ImagePullSecrets...)
	}
}
