//go:build linux

package volume

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// kind is what a volume is made of, by the name of its directory.
type kind string

const (
	kindEmpty     kind = "kubernetes.io~empty-dir"
	kindHost      kind = "kubernetes.io~host-path" // has no directory
	kindImage     kind = "kubernetes.io~image"     // its directory is empty
	kindNFS       kind = "kubernetes.io~nfs"
	kindFC        kind = "kubernetes.io~fc"
	kindISCSI     kind = "kubernetes.io~iscsi"
	kindCSI       kind = "kubernetes.io~csi"  // its files are in mount below its directory
	kindFlex      kind = "kubernetes.io~flex" // its directory is called after the driver
	kindConfigMap kind = "kubernetes.io~configmap"
	kindSecret    kind = "kubernetes.io~secret"
	kindDownward  kind = "kubernetes.io~downward-api"
	kindProjected kind = "kubernetes.io~projected"
)

// kindOf is v's kind; "" is one that is not honoured.
func kindOf(v *v1.Volume) kind {
	switch {
	case v.EmptyDir != nil:
		return kindEmpty
	case v.HostPath != nil:
		return kindHost
	case v.Image != nil:
		return kindImage
	case v.NFS != nil:
		return kindNFS
	case v.FC != nil:
		return kindFC
	case v.ISCSI != nil:
		return kindISCSI
	case v.CSI != nil:
		return kindCSI
	case v.FlexVolume != nil:
		return flexKind(v.FlexVolume.Driver)
	case v.ConfigMap != nil:
		return kindConfigMap
	case v.Secret != nil:
		return kindSecret
	case v.DownwardAPI != nil:
		return kindDownward
	case v.Projected != nil:
		return kindProjected
	}
	return ""
}

// made tells whether the volume's files are written by the agent: containers only read them.
func (k kind) made() bool {
	return k == kindConfigMap || k == kindSecret || k == kindDownward || k == kindProjected
}

// disk tells whether the volume is on a block device of the host.
func (k kind) disk() bool { return k == kindFC || k == kindISCSI }

// secret tells whether the volume's files are kept in memory only.
func (k kind) secret() bool { return k == kindSecret || k == kindProjected }

func keyOf(p *v1.Pod) sandbox.Key {
	return sandbox.KeyOf(map[string]string{sandbox.LabelNamespace: p.Namespace, sandbox.LabelPod: p.Name})
}
