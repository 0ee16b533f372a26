package resolver

import (
	"bytes"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// Names are a pod's host name and the domain below which it is known, which may be "".
type Names struct{ Host, Domain string }

const hostsHead = `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
`

// hosts is the /etc/hosts of a pod with these addresses. One on the host's network has the
// host's file instead.
func hosts(p *v1.Pod, n Names, ips []string, host []byte) []byte {
	var b bytes.Buffer
	if p.Spec.HostNetwork {
		b.WriteString("# Kubernetes-managed hosts file (host network).\n")
		b.Write(host)
		if len(host) > 0 && host[len(host)-1] != '\n' {
			b.WriteByte('\n')
		}
	} else {
		b.WriteString(hostsHead)
		for _, ip := range ips {
			if n.Domain != "" {
				fmt.Fprintf(&b, "%s\t%s.%s\t%s\n", ip, n.Host, n.Domain, n.Host)
			} else {
				fmt.Fprintf(&b, "%s\t%s\n", ip, n.Host)
			}
		}
	}
	if len(p.Spec.HostAliases) > 0 {
		b.WriteString("\n# Entries added by HostAliases.\n")
	}
	for _, a := range p.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", a.IP, strings.Join(a.Hostnames, "\t"))
	}
	return b.Bytes()
}
