package validate

import (
	"fmt"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// longestSigner has room for a domain, a slash, a namespace, a dot and a name.
const longestSigner = 2*validation.DNS1123SubdomainMaxLength + validation.DNS1123LabelMaxLength + 2

// signerName checks who is to sign: a domain, a slash and a path.
func signerName(p *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	domain, rest, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(rest, "/") {
		return field.ErrorList{field.Invalid(p, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	return slices.Concat(signerDomain(p, domain), signerPath(p, rest),
		when(len(name) > longestSigner, field.TooLong(p, "", longestSigner)))
}

func signerDomain(p *field.Path, domain string) field.ErrorList {
	errs := when(len(domain) > validation.DNS1123SubdomainMaxLength, field.TooLong(p, "", validation.DNS1123SubdomainMaxLength))
	labels := strings.Split(domain, ".")
	for _, l := range labels {
		if faulty := validation.IsDNS1123Label(l); len(faulty) > 0 {
			for _, why := range faulty {
				errs = append(errs, field.Invalid(p, domain, fmt.Sprintf("validating label %q: %s", l, why)))
			}
			break // the others' faults would read alike
		}
	}
	return append(errs, when(len(labels) < 2, field.Invalid(p, domain, "should be a domain with at least two segments separated by dots"))...)
}

func signerPath(p *field.Path, rest string) field.ErrorList {
	var errs field.ErrorList
	for _, l := range strings.Split(rest, ".") {
		if faulty := validation.IsDNS1123Subdomain(l); len(faulty) > 0 {
			for _, why := range faulty {
				errs = append(errs, field.Invalid(p, rest, fmt.Sprintf("validating label %q: %s", l, why)))
			}
			break
		}
	}
	return errs
}

// bundleName is how trust bundles of a signer ("": of nobody) are named.
func bundleName(signer string) apivalidation.ValidateNameFunc {
	return func(name string, prefix bool) []string {
		if signer == "" {
			if strings.Contains(name, ":") {
				return []string{`ClusterTrustBundle without signer name must not have ":" in its name`}
			}
			return apivalidation.NameIsDNSSubdomain(name, prefix)
		}
		begin := strings.ReplaceAll(signer, "/", ":") + ":"
		rest, ok := strings.CutPrefix(name, begin)
		if !ok {
			return []string{fmt.Sprintf("ClusterTrustBundle for signerName %s must be named with prefix %s", signer, begin)}
		}
		return apivalidation.NameIsDNSSubdomain(rest, prefix)
	}
}

// signerOf is the signer that a bundle's name speaks of, "" if of none.
func signerOf(bundle string) string {
	if at := strings.LastIndex(bundle, ":"); at >= 0 {
		return strings.ReplaceAll(bundle[:at], ":", "/")
	}
	return ""
}

// kubernetesSigner tells whether a signer is one that Kubernetes keeps for itself.
func kubernetesSigner(name string) bool {
	domain, _, _ := strings.Cut(name, "/")
	return domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io")
}
