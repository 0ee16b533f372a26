package pod

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// The kernel's limit of a host name, and DNS' of one label.
const (
	maxKernelName = 64
	maxLabel      = 63
)

// Names are a pod's host name and the domain below which it is known; the domain is ""
// unless the pod has a subdomain.
func Names(p *v1.Pod, clusterDomain string) (host, domain string) {
	host = p.Name
	switch s := &p.Spec; {
	case s.HostnameOverride != nil:
		return *s.HostnameOverride, ""
	case s.Hostname != "":
		host = s.Hostname
	}
	if p.Spec.Subdomain != "" {
		domain = p.Spec.Subdomain + "." + p.Namespace + ".svc." + clusterDomain
	}
	return cutLabel(host), domain
}

func cutLabel(name string) string {
	if len(name) > maxLabel {
		name = name[:maxLabel]
	}
	return strings.TrimRight(name, "-.")
}

// kernelName is what `hostname` prints in the pod.
func kernelName(p *v1.Pod, host, domain string) (string, error) {
	if domain == "" || !is(p.Spec.SetHostnameAsFQDN) {
		return host, nil
	}
	fqdn := host + "." + domain
	if len(fqdn) > maxKernelName {
		return "", fmt.Errorf("failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (%d characters is the max, %d characters requested)",
			fqdn, maxKernelName, len(fqdn))
	}
	return fqdn, nil
}
