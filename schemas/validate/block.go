package validate

import (
	"regexp"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// mostLUN is the highest number of a disk behind a target.
const mostLUN = 255

// The forms of an iSCSI name (RFC 3720, section 3.2.6.3), as Kubernetes knows them.
var iscsiNames = map[string]*regexp.Regexp{
	"iqn": regexp.MustCompile(`iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`),
	"eui": regexp.MustCompile(`^eui.[[:alnum:]]{16}$`),
	"naa": regexp.MustCompile(`^naa.[[:alnum:]]{32}$`),
}

func iscsi(p *field.Path, s *v1.ISCSIVolumeSource) field.ErrorList {
	errs := need(p, "targetPortal", s.TargetPortal, "iqn", s.IQN)
	if s.IQN != "" {
		errs = append(errs, iscsiName(p.Child("iqn"), s.IQN)...)
	}
	errs = append(errs, when(s.Lun < 0 || s.Lun > mostLUN,
		field.Invalid(p.Child("lun"), s.Lun, validation.InclusiveRangeError(0, mostLUN)))...)
	errs = append(errs, when((s.DiscoveryCHAPAuth || s.SessionCHAPAuth) && s.SecretRef == nil,
		field.Required(p.Child("secretRef"), mustBeSet))...)
	if s.InitiatorName != nil {
		errs = append(errs, iscsiName(p.Child("initiatorname"), *s.InitiatorName)...)
	}
	return errs
}

func iscsiName(p *field.Path, name string) field.ErrorList {
	form := iscsiNames[name[:min(3, len(name))]]
	if form == nil {
		return field.ErrorList{field.Invalid(p, name, "must be valid format starting with iqn, eui, or naa")}
	}
	return when(!form.MatchString(name), field.Invalid(p, name, "must be valid format"))
}

func fibre(p *field.Path, s *v1.FCVolumeSource) field.ErrorList {
	targets, ids := len(s.TargetWWNs) > 0, len(s.WWIDs) > 0
	errs := append(
		when(!targets && !ids, field.Required(p.Child("targetWWNs"), "must specify either targetWWNs or wwids, but not both")),
		when(targets && ids, field.Invalid(p.Child("targetWWNs"), s.TargetWWNs, "targetWWNs and wwids can not be specified simultaneously"))...)
	switch {
	case targets && s.Lun == nil:
		errs = append(errs, field.Required(p.Child("lun"), "lun is required if targetWWNs is specified"))
	case targets && (*s.Lun < 0 || *s.Lun > mostLUN):
		errs = append(errs, field.Invalid(p.Child("lun"), *s.Lun, validation.InclusiveRangeError(0, mostLUN)))
	}
	return errs
}

// flex checks that options leave alone what the driver is told by Kubernetes itself.
func flex(p *field.Path, s *v1.FlexVolumeSource) field.ErrorList {
	errs := need(p, "driver", s.Driver)
	for _, key := range keysOf(s.Options) {
		namespace, _, _ := strings.Cut(key, "/")
		namespace = "." + strings.ToLower(namespace)
		if strings.HasSuffix(namespace, ".kubernetes.io") || strings.HasSuffix(namespace, ".k8s.io") {
			errs = append(errs, field.Invalid(p.Child("options").Key(key), key, "kubernetes.io and k8s.io namespaces are reserved"))
		}
	}
	return errs
}
