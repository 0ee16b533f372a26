package admit

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/skerry/skerry/schemas"
)

const (
	// DefaultAccount is the service account that pods have which name none.
	DefaultAccount = "default"
	// tokenVolume is the prefix of the volume with a pod's own token.
	tokenVolume = "kube-api-access-"
	// tokenPath is where clients in a pod look for it.
	tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"
	// tokenSeconds marks the tokens that nobody asked for, as in Kubernetes: an hour and 7 s.
	tokenSeconds = 3607
	rootCA       = "kube-root-ca.crt"
)

// MissingAccount is the service account that p cannot be made without, if it is the one that
// every namespace has; "" otherwise.
func MissingAccount(s State, p *v1.Pod) *v1.ServiceAccount {
	if _, ok := accountOf(s, p); ok || p.Spec.ServiceAccountName != "" && p.Spec.ServiceAccountName != DefaultAccount {
		return nil
	}
	return &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: DefaultAccount}}
}

func accountOf(s State, p *v1.Pod) (*v1.ServiceAccount, bool) {
	name := p.Spec.ServiceAccountName
	if name == "" {
		name = DefaultAccount
	}
	obj, _ := s.Get(schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(name)})
	a, ok := obj.(*v1.ServiceAccount)
	return a, ok
}

// account gives a pod its service account: the pull secrets of it, if the pod names none,
// and its token, unless pod or account forbid it.
func account(s State, p *v1.Pod) error {
	if p.Spec.ServiceAccountName == "" {
		p.Spec.ServiceAccountName = DefaultAccount
	}
	p.Spec.DeprecatedServiceAccount = p.Spec.ServiceAccountName
	a, ok := accountOf(s, p)
	if !ok {
		name := p.Spec.ServiceAccountName
		return apierrors.NewForbidden(v1.Resource("pods"), p.Name,
			fmt.Errorf("error looking up service account %s/%s: serviceaccount %q not found", p.Namespace, name, name))
	}
	if len(p.Spec.ImagePullSecrets) == 0 {
		p.Spec.ImagePullSecrets = append(p.Spec.ImagePullSecrets, a.ImagePullSecrets...)
	}
	if automount(p, a) {
		mountToken(p)
	}
	return nil
}

func automount(p *v1.Pod, a *v1.ServiceAccount) bool {
	if own := p.Spec.AutomountServiceAccountToken; own != nil {
		return *own
	}
	return a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken
}

// mountToken has the token in every container that does not mount something else in its place.
func mountToken(p *v1.Pod) {
	name := ""
	for _, v := range p.Spec.Volumes {
		if strings.HasPrefix(v.Name, tokenVolume) {
			name = v.Name // a pod that was read and made anew has it
		}
	}
	needed := name == ""
	if needed {
		name = tokenVolume + tokenSuffix(p)
	}
	mounted := false
	for _, cs := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range cs {
			c := &cs[i]
			if slices.ContainsFunc(c.VolumeMounts, func(m v1.VolumeMount) bool { return m.MountPath == tokenPath }) {
				continue
			}
			c.VolumeMounts = append(c.VolumeMounts, v1.VolumeMount{Name: name, ReadOnly: true, MountPath: tokenPath})
			mounted = true
		}
	}
	if needed && mounted {
		p.Spec.Volumes = append(p.Spec.Volumes, v1.Volume{Name: name, VolumeSource: tokenSource()})
	}
}

// tokenSuffix tells the volume's name from those of others. It is the same for all pods of one
// owner: pods of one template then have one spec, which every copy of the state keeps once.
func tokenSuffix(p *v1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(p)
	if owner == nil {
		return rand.String(randomLength)
	}
	sum := fnv.New32a()
	sum.Write([]byte(owner.UID))
	suffix := rand.SafeEncodeString(strconv.FormatUint(uint64(sum.Sum32()), 10))
	return suffix[max(0, len(suffix)-randomLength):]
}

func tokenSource() v1.VolumeSource {
	seconds, mode, optional := int64(tokenSeconds), int32(0o644), true
	return v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []v1.VolumeProjection{
		{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &seconds}},
		// Optional, unlike in Kubernetes: a cluster without a gateway has no authority to trust.
		{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: v1.LocalObjectReference{Name: rootCA}, Optional: &optional,
			Items: []v1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
		{DownwardAPI: &v1.DownwardAPIProjection{Items: []v1.DownwardAPIVolumeFile{
			{Path: "namespace", FieldRef: &v1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
	}}}
}
