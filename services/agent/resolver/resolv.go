package resolver

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// The most that a libc's resolver takes, and Kubernetes lets through.
const (
	maxServers       = 3
	maxSearches      = 32
	maxSearchesBytes = 2048
)

// Cluster is the cluster's own DNS, if it has one.
type Cluster struct {
	Domain  string   // cluster.local
	Servers []string // none: pods resolve as the host does
}

// conf is what a resolv.conf says.
type conf struct{ servers, searches, options []string }

// parse reads a resolv.conf. Of several search or options lines the last counts.
func parse(text []byte) conf {
	var c conf
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], ";") {
			continue
		}
		switch f[0] {
		case "nameserver":
			if len(f) > 1 {
				c.servers = append(c.servers, f[1])
			}
		case "search", "domain":
			c.searches = nil
			for _, s := range f[1:] {
				if s != "." {
					s = strings.TrimSuffix(s, ".")
				}
				c.searches = append(c.searches, s)
			}
		case "options":
			c.options = f[1:]
		}
	}
	return c
}

// Warning is an event about a pod's DNS, or about its node's, which is the same for all pods.
type Warning struct {
	Reason, Message string
	Node            bool
}

// resolv makes the resolv.conf of p from the host's.
func resolv(p *v1.Pod, host conf, cluster Cluster) ([]byte, []Warning) {
	var warnings []Warning
	policy := p.Spec.DNSPolicy
	switch {
	case policy == v1.DNSClusterFirst && p.Spec.HostNetwork:
		policy = v1.DNSDefault
	case policy == v1.DNSClusterFirst || policy == v1.DNSClusterFirstWithHostNet:
		if len(cluster.Servers) == 0 {
			warnings = append(warnings, Warning{Reason: "MissingClusterDNS", Node: true, Message: fmt.Sprintf(
				"kubelet does not have ClusterDNS IP configured and cannot create Pod using %q policy. Falling back to %q policy.",
				v1.DNSClusterFirst, v1.DNSDefault)})
			policy = v1.DNSDefault
		}
	}
	c := host
	switch policy {
	case v1.DNSClusterFirst, v1.DNSClusterFirstWithHostNet:
		own := []string{p.Namespace + ".svc." + cluster.Domain, "svc." + cluster.Domain, cluster.Domain}
		c = conf{servers: cluster.Servers, searches: union(own, host.searches), options: []string{"ndots:5"}}
	case v1.DNSNone:
		c = conf{}
	}
	if d := p.Spec.DNSConfig; d != nil {
		c.servers, c.searches = union(c.servers, d.Nameservers), union(c.searches, d.Searches)
		c.options = merge(c.options, d.Options)
	}
	return c.fit(&warnings), warnings
}

// union appends to a what it does not have.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// merge adds options to have, in place of those of the same name.
func merge(have []string, add []v1.PodDNSConfigOption) []string {
	out := slices.Clone(have)
	for _, o := range add {
		text := o.Name
		if o.Value != nil && *o.Value != "" {
			text += ":" + *o.Value
		}
		i := slices.IndexFunc(out, func(s string) bool {
			name, _, _ := strings.Cut(s, ":")
			return name == o.Name
		})
		if i < 0 {
			out = append(out, text)
		} else {
			out[i] = text
		}
	}
	return out
}

// fit writes c, cut to what a libc takes; what was left out is warned about.
func (c conf) fit(warnings *[]Warning) []byte {
	const reason = "DNSConfigForming"
	if len(c.servers) > maxServers {
		c.servers = c.servers[:maxServers]
		*warnings = append(*warnings, Warning{Reason: reason, Message: "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: " +
			strings.Join(c.servers, " ")})
	}
	fits, size := 0, -1
	for fits < len(c.searches) && fits < maxSearches && size+1+len(c.searches[fits]) <= maxSearchesBytes {
		size += 1 + len(c.searches[fits])
		fits++
	}
	if fits < len(c.searches) {
		c.searches = c.searches[:fits]
		*warnings = append(*warnings, Warning{Reason: reason, Message: "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: " +
			strings.Join(c.searches, " ")})
	}
	var b bytes.Buffer
	if len(c.searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(c.searches, " "))
	}
	for _, s := range c.servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(c.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(c.options, " "))
	}
	return b.Bytes()
}

// local tells whether all servers listen on the host's loopback, where a pod with a
// network of its own does not reach them.
func (c conf) local() bool {
	return len(c.servers) > 0 && !slices.ContainsFunc(c.servers, func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err != nil || !a.IsLoopback()
	})
}
