package column

import (
	"strconv"
	"strings"
	"time"

	storagev1 "k8s.io/api/storage/v1"

	"github.com/skerry/skerry/schemas"
)

// CSIDriver returns the columns of storage drivers.
func CSIDriver() []schemas.Column {
	flag := func(get func(s *storagev1.CSIDriverSpec) *bool, unset bool) func(*storagev1.CSIDriver, time.Time) string {
		return func(d *storagev1.CSIDriver, _ time.Time) string {
			if b := get(&d.Spec); b != nil {
				return strconv.FormatBool(*b)
			}
			return strconv.FormatBool(unset)
		}
	}
	return []schemas.Column{
		name(),
		column("ATTACHREQUIRED", flag(func(s *storagev1.CSIDriverSpec) *bool { return s.AttachRequired }, true)),
		column("PODINFOONMOUNT", flag(func(s *storagev1.CSIDriverSpec) *bool { return s.PodInfoOnMount }, false)),
		column("STORAGECAPACITY", flag(func(s *storagev1.CSIDriverSpec) *bool { return s.StorageCapacity }, false)),
		column("TOKENREQUESTS", func(d *storagev1.CSIDriver, _ time.Time) string {
			if d.Spec.TokenRequests == nil {
				return "<unset>"
			}
			var audiences []string
			for _, r := range d.Spec.TokenRequests {
				audiences = append(audiences, r.Audience)
			}
			return strings.Join(audiences, ",")
		}),
		column("REQUIRESREPUBLISH", flag(func(s *storagev1.CSIDriverSpec) *bool { return s.RequiresRepublish }, false)),
		column("MODES", func(d *storagev1.CSIDriver, _ time.Time) string {
			var modes []string
			for _, m := range d.Spec.VolumeLifecycleModes {
				modes = append(modes, string(m))
			}
			return orNone(strings.Join(modes, ","))
		}),
		age(),
	}
}
