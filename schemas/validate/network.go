package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What the resolver of a Linux libc takes.
const (
	maxNameservers  = 3
	maxSearches     = 32
	maxSearchLength = 2048
	maxHostname     = 64
)

// checkNetwork checks the pod's names, its resolver and its use of the host's network.
func (r *podRules) checkNetwork() field.ErrorList {
	s, p := r.spec, r.path
	errs := slices.Concat(
		optional(p.Child("hostname"), s.Hostname, label),
		optional(p.Child("subdomain"), s.Subdomain, label),
		r.hostname(p.Child("hostnameOverride")),
		oneOf(p.Child("dnsPolicy"), s.DNSPolicy, v1.DNSClusterFirstWithHostNet, v1.DNSClusterFirst, v1.DNSDefault, v1.DNSNone),
		r.resolver(p.Child("dnsConfig")),
	)
	for i, a := range s.HostAliases {
		at := p.Child("hostAliases").Index(i)
		errs = append(errs, validation.IsValidIP(at.Child("ip"), a.IP)...)
		for j, name := range a.Hostnames {
			errs = append(errs, subdomain(at.Child("hostnames").Index(j), name)...)
		}
	}
	for i, ref := range s.ImagePullSecrets {
		errs = append(errs, optional(p.Child("imagePullSecrets").Index(i).Child("name"), ref.Name, subdomain)...)
	}
	return append(errs, r.hostNetworkPorts()...)
}

// hostNetworkPorts checks that a pod on the host's network names its ports as the
// host's. In a template they may still be left out: the pod's defaults set them.
func (r *podRules) hostNetworkPorts() field.ErrorList {
	if !r.spec.HostNetwork {
		return nil
	}
	var errs field.ErrorList
	for i, c := range r.spec.Containers {
		for j, port := range c.Ports {
			wrong := port.HostPort != port.ContainerPort && (r.isPod() || port.HostPort != 0)
			at := r.path.Child("containers").Index(i).Child("ports").Index(j).Child("hostPort")
			errs = append(errs, when(wrong, field.Invalid(at, port.HostPort, "must match `containerPort` when `hostNetwork` is true"))...)
		}
	}
	return errs
}

func (r *podRules) hostname(p *field.Path) field.ErrorList {
	name := r.spec.HostnameOverride
	if name == nil {
		return nil
	}
	fqdn := r.spec.SetHostnameAsFQDN != nil && *r.spec.SetHostnameAsFQDN
	return slices.Concat(
		subdomain(p, *name),
		when(len(*name) > maxHostname, field.TooLong(p, "", maxHostname)),
		when(r.spec.HostNetwork, field.Forbidden(p, "may not be specified when `hostNetwork` is true")),
		when(fqdn, field.Forbidden(p, "may not be specified when `setHostnameAsFQDN` is true")),
	)
}

func (r *podRules) resolver(p *field.Path) field.ErrorList {
	c := r.spec.DNSConfig
	if r.spec.DNSPolicy == v1.DNSNone {
		switch {
		case c == nil:
			return field.ErrorList{field.Required(p, fmt.Sprintf("must provide `dnsConfig` when `dnsPolicy` is %s", v1.DNSNone))}
		case len(c.Nameservers) == 0:
			return field.ErrorList{field.Required(p.Child("nameservers"),
				fmt.Sprintf("must provide at least one DNS nameserver when `dnsPolicy` is %s", v1.DNSNone))}
		}
	}
	if c == nil {
		return nil
	}
	servers, searches := p.Child("nameservers"), p.Child("searches")
	errs := slices.Concat(
		when(len(c.Nameservers) > maxNameservers,
			field.Invalid(servers, c.Nameservers, fmt.Sprintf("must not have more than %d nameservers", maxNameservers))),
		when(len(c.Searches) > maxSearches,
			field.Invalid(searches, c.Searches, fmt.Sprintf("must not have more than %d search paths", maxSearches))),
		when(len(strings.Join(c.Searches, " ")) > maxSearchLength, field.Invalid(searches, c.Searches,
			fmt.Sprintf("must not have more than %d characters (including spaces) in the search list", maxSearchLength))),
	)
	for i, s := range c.Nameservers {
		errs = append(errs, validation.IsValidIP(servers.Index(i), s)...)
	}
	for i, s := range c.Searches {
		if s == "." {
			continue
		}
		s = strings.TrimSuffix(s, ".")
		errs = append(errs, faults(searches.Index(i), s, validation.IsDNS1123SubdomainWithUnderscore(s))...)
	}
	for i, o := range c.Options {
		errs = append(errs, when(o.Name == "", field.Required(p.Child("options").Index(i).Child("name"), "must not be empty"))...)
	}
	return errs
}
