package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/skerry/skerry/schemas"
)

// What a slice may hold, and what an endpoint in it may.
const (
	maxEndpoints  = 1000
	maxAddresses  = 100
	maxPorts      = 20_000
	maxTopology   = 16
	maxHints      = 8
	minOneAddress = "must contain at least 1 address"
)

// EndpointSlice checks a new EndpointSlice.
func EndpointSlice(obj schemas.Object) field.ErrorList {
	return create(obj, func(e *discoveryv1.EndpointSlice) field.ErrorList {
		return slices.Concat(namespaced(e, apivalidation.NameIsDNSSubdomain), endpointSlice(e, nil))
	})
}

// EndpointSliceUpdate checks obj as the next state of old.
func EndpointSliceUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(e, old *discoveryv1.EndpointSlice) field.ErrorList {
		return slices.Concat(metaUpdate(e, old), endpointSlice(e, old), immutable(e.AddressType, old.AddressType, field.NewPath("addressType")))
	})
}

func endpointSlice(e, old *discoveryv1.EndpointSlice) field.ErrorList {
	errs := slices.Concat(
		oneOf(field.NewPath("addressType"), e.AddressType, discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6),
		slicePorts(e.Ports),
	)
	p := field.NewPath("endpoints")
	if len(e.Endpoints) > maxEndpoints {
		return append(errs, field.TooMany(p, len(e.Endpoints), maxEndpoints))
	}
	var faulty field.ErrorList
	for i := range e.Endpoints {
		faulty = append(faulty, endpoint(p.Index(i), &e.Endpoints[i], e.AddressType)...)
	}
	if len(faulty) > 0 && old != nil && equality.Semantic.DeepEqual(e.Endpoints, old.Endpoints) {
		return errs // what was let in once may stay
	}
	return append(errs, faulty...)
}

func slicePorts(ports []discoveryv1.EndpointPort) field.ErrorList {
	p := field.NewPath("ports")
	if len(ports) > maxPorts {
		return field.ErrorList{field.TooMany(p, len(ports), maxPorts)}
	}
	var errs field.ErrorList
	seen := map[string]bool{}
	for i := range ports {
		at, name, proto := p.Index(i), "", v1.Protocol("")
		if ports[i].Name != nil {
			name = *ports[i].Name
		}
		if ports[i].Protocol != nil {
			proto = *ports[i].Protocol
		}
		errs = extend(errs,
			optional(at.Child("name"), name, label),
			when(seen[name], field.Duplicate(at.Child("name"), name)),
			protocol(at.Child("protocol"), proto),
			appProtocol(at, ports[i].AppProtocol),
		)
		seen[name] = true
	}
	return errs
}

func appProtocol(p *field.Path, value *string) field.ErrorList {
	if value == nil {
		return nil
	}
	return qualified(p.Child("appProtocol"), *value)
}

func endpoint(p *field.Path, e *discoveryv1.Endpoint, t discoveryv1.AddressType) field.ErrorList {
	at := p.Child("addresses")
	errs := when(len(e.Addresses) == 0, field.Required(at, minOneAddress))
	errs = append(errs, when(len(e.Addresses) > maxAddresses, field.TooMany(at, len(e.Addresses), maxAddresses))...)
	for i, a := range e.Addresses {
		errs = append(errs, endpointAddress(at, i, a, t)...)
	}
	topology := p.Child("deprecatedTopology")
	errs = extend(errs,
		nodeNamed(p.Child("nodeName"), e.NodeName),
		when(len(e.DeprecatedTopology) > maxTopology, field.TooMany(topology, len(e.DeprecatedTopology), maxTopology)),
		metavalidation.ValidateLabels(e.DeprecatedTopology, topology),
	)
	if e.Hostname != nil {
		errs = append(errs, label(p.Child("hostname"), *e.Hostname)...)
	}
	return append(errs, hints(p.Child("hints"), e.Hints)...)
}

func endpointAddress(p *field.Path, i int, a string, t discoveryv1.AddressType) field.ErrorList {
	at := p.Index(i)
	switch t {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6:
		if errs := validation.IsValidIPForLegacyField(at, a, true, nil); len(errs) > 0 {
			return errs
		}
		errs := when(netutils.IsIPv6String(a) != (t == discoveryv1.AddressTypeIPv6), field.Invalid(p, a, "must be an "+string(t)+" address"))
		return append(errs, endpointIP(at, a)...)
	case discoveryv1.AddressTypeFQDN:
		return validation.IsFullyQualifiedDomainName(at, a)
	}
	return nil
}

func nodeNamed(p *field.Path, name *string) field.ErrorList {
	if name == nil {
		return nil
	}
	return subdomain(p, *name)
}

func hints(p *field.Path, h *discoveryv1.EndpointHints) field.ErrorList {
	if h == nil {
		return nil
	}
	zones, nodes := p.Child("forZones"), p.Child("forNodes")
	if len(h.ForZones) > maxHints || len(h.ForNodes) > maxHints {
		return append(when(len(h.ForZones) > maxHints, field.TooMany(zones, len(h.ForZones), maxHints)),
			when(len(h.ForNodes) > maxHints, field.TooMany(nodes, len(h.ForNodes), maxHints))...)
	}
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, z := range h.ForZones {
		at := zones.Index(i).Child("name")
		errs = extend(errs, when(seen[z.Name], field.Duplicate(at, z.Name)), faults(at, z.Name, validation.IsValidLabelValue(z.Name)))
		seen[z.Name] = true
	}
	clear(seen)
	for i, n := range h.ForNodes {
		at := nodes.Index(i).Child("name")
		errs = extend(errs, when(seen[n.Name], field.Duplicate(at, n.Name)), subdomain(at, n.Name))
		seen[n.Name] = true
	}
	return errs
}

// Endpoints checks a new Endpoints object.
func Endpoints(obj schemas.Object) field.ErrorList {
	return create(obj, func(e *v1.Endpoints) field.ErrorList {
		return slices.Concat(namespaced(e, apivalidation.NameIsDNSSubdomain), subsets(e.Subsets))
	})
}

// EndpointsUpdate checks obj as the next state of old.
func EndpointsUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(e, old *v1.Endpoints) field.ErrorList {
		errs := subsets(e.Subsets)
		if len(errs) > 0 && equality.Semantic.DeepEqual(e.Subsets, old.Subsets) {
			errs = nil
		}
		return slices.Concat(metaUpdate(e, old), errs)
	})
}

func subsets(all []v1.EndpointSubset) field.ErrorList {
	var errs field.ErrorList
	for i := range all {
		s, p := &all[i], field.NewPath("subsets").Index(i)
		errs = append(errs, when(len(s.Addresses)+len(s.NotReadyAddresses) == 0, field.Required(p, "must specify `addresses` or `notReadyAddresses`"))...)
		for j := range s.Addresses {
			errs = append(errs, subsetAddress(p.Child("addresses").Index(j), &s.Addresses[j])...)
		}
		for j := range s.NotReadyAddresses {
			errs = append(errs, subsetAddress(p.Child("notReadyAddresses").Index(j), &s.NotReadyAddresses[j])...)
		}
		for j := range s.Ports {
			port, at := &s.Ports[j], p.Child("ports").Index(j)
			errs = extend(errs,
				when(len(s.Ports) > 1 && port.Name == "", field.Required(at.Child("name"), mustBeSet)),
				optional(at.Child("name"), port.Name, label),
				faults(at.Child("port"), port.Port, validation.IsValidPortNum(int(port.Port))),
				protocol(at.Child("protocol"), port.Protocol),
				appProtocol(at, port.AppProtocol),
			)
		}
	}
	return errs
}

func subsetAddress(p *field.Path, a *v1.EndpointAddress) field.ErrorList {
	errs := validation.IsValidIPForLegacyField(p.Child("ip"), a.IP, true, nil)
	if len(errs) == 0 {
		errs = endpointIP(p.Child("ip"), a.IP)
	}
	return extend(errs, optional(p.Child("hostname"), a.Hostname, label), nodeNamed(p.Child("nodeName"), a.NodeName))
}
