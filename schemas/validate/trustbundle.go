package validate

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// longestBundle is the most bytes of one trust bundle.
const longestBundle = 1 << 20

// ClusterTrustBundle checks a new ClusterTrustBundle.
func ClusterTrustBundle(obj schemas.Object) field.ErrorList { return create(obj, newTrustBundle) }

// ClusterTrustBundleUpdate checks obj as the next state of old.
func ClusterTrustBundleUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, updatedTrustBundle)
}

func newTrustBundle(b *certificatesv1.ClusterTrustBundle) field.ErrorList {
	return append(bundleSigner(b), anchors(specPath().Child("trustBundle"), b.Spec.TrustBundle)...)
}

func bundleSigner(b *certificatesv1.ClusterTrustBundle) field.ErrorList {
	return append(clusterScoped(b, bundleName(b.Spec.SignerName)), optional(specPath().Child("signerName"), b.Spec.SignerName, signerName)...)
}

func updatedTrustBundle(b, old *certificatesv1.ClusterTrustBundle) field.ErrorList {
	errs := slices.Concat(
		bundleSigner(b),
		metaUpdate(b, old),
		immutable(b.Spec.SignerName, old.Spec.SignerName, specPath().Child("signerName")),
	)
	// One that was good for a version before this one may stay.
	if b.Spec.TrustBundle == old.Spec.TrustBundle {
		return errs
	}
	return append(errs, anchors(specPath().Child("trustBundle"), b.Spec.TrustBundle)...)
}

// anchors checks that text is one or more certificates of authorities, each once.
func anchors(p *field.Path, text string) field.ErrorList {
	if len(text) > longestBundle {
		return field.ErrorList{field.TooLong(p, "", longestBundle)}
	}
	var errs field.ErrorList
	fault := func(why string, args ...any) {
		errs = append(errs, field.Invalid(p, "<value omitted>", fmt.Sprintf(why, args...)))
	}
	at := map[string][]int{}
	var order []string
	rest := []byte(text)
	for i := 0; ; i++ {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if why := anchor(b); why != "" {
			fault("entry %d %s", i, why)
			continue
		}
		der := string(b.Bytes)
		if at[der] == nil {
			order = append(order, der)
		}
		at[der] = append(at[der], i)
	}
	if len(errs) > 0 {
		return errs // of what else is wrong these may be the reason
	}
	if len(order) == 0 {
		fault("at least one trust anchor must be provided")
	}
	for _, der := range order {
		if len(at[der]) > 1 {
			fault("duplicate trust anchor (indices %v)", at[der])
		}
	}
	return errs
}

// anchor says why a block is no certificate of an authority, "" if it is one.
func anchor(b *pem.Block) string {
	if b.Type != "CERTIFICATE" {
		return "has bad block type: " + b.Type
	}
	if len(b.Headers) > 0 {
		return "has PEM block headers"
	}
	cert, err := x509.ParseCertificate(b.Bytes)
	switch {
	case err != nil:
		return "does not parse as X.509"
	case !cert.IsCA:
		return "does not have the CA bit set"
	case !cert.BasicConstraintsValid:
		return "has invalid basic constraints"
	}
	return ""
}
