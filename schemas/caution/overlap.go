package caution

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// file is a path in a volume, and where its content is from.
type file struct{ path, from string }

func (f file) String() string {
	if f.from == "" {
		return fmt.Sprintf("%q", f.path)
	}
	return fmt.Sprintf("%q (%s)", f.path, f.from)
}

// files are those of one volume so far.
type files []file

// add returns what of the earlier ones more are in the way of.
func (fs *files) add(more ...file) (clashes []string) {
	for _, f := range more {
		f.path = strings.TrimRight(f.path, "/")
		for _, other := range *fs {
			if f.path != "" && other.path != "" && (within(f.path, other.path) || within(other.path, f.path)) {
				clashes = append(clashes, f.String()+" with "+other.String())
			}
		}
		*fs = append(*fs, f)
	}
	return clashes
}

func within(path, dir string) bool { return strings.HasPrefix(path+"/", dir+"/") }

// overlaps is said of volumes in which one key's file is in another's way.
func overlaps(volumes []corev1.Volume) (said []string) {
	for i := range volumes {
		v := &volumes[i]
		of, clashes := "", []string(nil)
		var fs files
		switch {
		case v.ConfigMap != nil:
			of, clashes = fmt.Sprintf("ConfigMap %q", v.ConfigMap.Name), fs.add(keys(v.ConfigMap.Items, "")...)
		case v.Secret != nil:
			of, clashes = fmt.Sprintf("Secret %q", v.Secret.SecretName), fs.add(keys(v.Secret.Items, "")...)
		case v.DownwardAPI != nil:
			of, clashes = "DownwardAPI", fs.add(fields(v.DownwardAPI.Items, "")...)
		case v.Projected != nil:
			of = "Projected"
			for j := range v.Projected.Sources {
				s := &v.Projected.Sources[j]
				if *s == (corev1.VolumeProjection{}) {
					said = append(said, fmt.Sprintf("volume %q (Projected) has no sources provided", v.Name))
				}
				clashes = append(clashes, fs.add(projected(s)...)...)
			}
		}
		for _, c := range clashes {
			said = append(said, fmt.Sprintf("volume %q (%s): overlapping paths: %s", v.Name, of, c))
		}
	}
	return said
}

func projected(s *corev1.VolumeProjection) []file {
	switch {
	case s.ConfigMap != nil:
		return keys(s.ConfigMap.Items, fmt.Sprintf("ConfigMap %q", s.ConfigMap.Name))
	case s.Secret != nil:
		return keys(s.Secret.Items, fmt.Sprintf("Secret %q", s.Secret.Name))
	case s.DownwardAPI != nil:
		return fields(s.DownwardAPI.Items, "DownwardAPI")
	case s.ServiceAccountToken != nil:
		return []file{{s.ServiceAccountToken.Path, "ServiceAccountToken"}}
	case s.ClusterTrustBundle != nil:
		name := s.ClusterTrustBundle.Name
		if name == nil {
			name = s.ClusterTrustBundle.SignerName
		}
		if name != nil {
			return []file{{s.ClusterTrustBundle.Path, fmt.Sprintf("ClusterTrustBundle %q", *name)}}
		}
	case s.PodCertificate != nil:
		return []file{
			{s.PodCertificate.CertificateChainPath, "PodCertificate chain"},
			{s.PodCertificate.KeyPath, "PodCertificate key"},
			{s.PodCertificate.CredentialBundlePath, "PodCertificate credential bundle"},
		}
	}
	return nil
}

func keys(items []corev1.KeyToPath, from string) (fs []file) {
	for _, item := range items {
		fs = append(fs, file{item.Path, from})
	}
	return fs
}

func fields(items []corev1.DownwardAPIVolumeFile, from string) (fs []file) {
	for _, item := range items {
		fs = append(fs, file{item.Path, from})
	}
	return fs
}
