package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *podRules) env(p *field.Path, vars []v1.EnvVar) field.ErrorList {
	var errs field.ErrorList
	for i, v := range vars {
		at := p.Index(i)
		errs = append(errs, required(at.Child("name"), v.Name, envName)...)
		if v.ValueFrom != nil {
			errs = append(errs, r.envSource(at.Child("valueFrom"), v.ValueFrom, v.Value)...)
		}
	}
	return errs
}

func envName(p *field.Path, name string) field.ErrorList {
	return faults(p, name, validation.IsRelaxedEnvVarName(name))
}

func (r *podRules) envSource(p *field.Path, s *v1.EnvVarSource, value string) field.ErrorList {
	var errs field.ErrorList
	sources := 0
	if s.FieldRef != nil {
		sources++
		errs = append(errs, fieldRef(p.Child("fieldRef"), s.FieldRef, envFields)...)
	}
	if s.ResourceFieldRef != nil {
		sources++
		errs = append(errs, resourceFieldRef(p.Child("resourceFieldRef"), s.ResourceFieldRef)...)
	}
	if s.ConfigMapKeyRef != nil {
		sources++
		errs = append(errs, keyRef(p.Child("configMapKeyRef"), s.ConfigMapKeyRef.Name, s.ConfigMapKeyRef.Key)...)
	}
	if s.SecretKeyRef != nil {
		sources++
		errs = append(errs, keyRef(p.Child("secretKeyRef"), s.SecretKeyRef.Name, s.SecretKeyRef.Key)...)
	}
	if s.FileKeyRef != nil {
		sources++
		errs = append(errs, r.fileKeyRef(p.Child("fileKeyRef"), s.FileKeyRef)...)
	}
	switch {
	case sources == 0:
		const all = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
		errs = append(errs, field.Invalid(p, "", "must specify one of: "+all))
	case value != "":
		errs = append(errs, field.Invalid(p, "", "may not be specified when `value` is not empty"))
	case sources > 1:
		errs = append(errs, field.Invalid(p, "", "may not have more than one field specified at a time"))
	}
	return errs
}

func keyRef(p *field.Path, name, key string) field.ErrorList {
	return append(
		faults(p.Child("name"), name, apivalidation.NameIsDNSSubdomain(name, false)),
		required(p.Child("key"), key, dataKey)...)
}

func dataKey(p *field.Path, key string) field.ErrorList {
	return faults(p, key, validation.IsConfigMapKey(key))
}

// fileKeyRef takes a variable from a file that another container wrote (KEP-3721).
func (r *podRules) fileKeyRef(p *field.Path, s *v1.FileKeySelector) field.ErrorList {
	errs := slices.Concat(
		required(p.Child("volumeName"), s.VolumeName, label),
		required(p.Child("path"), s.Path, unreserved),
		required(p.Child("key"), s.Key, envName),
	)
	source, ok := r.volumes[s.VolumeName]
	if s.VolumeName != "" && !ok {
		return append(errs, field.NotFound(p.Child("volumeName"), s.VolumeName))
	}
	return append(errs, when(ok && source.EmptyDir == nil, field.Invalid(p.Child("volumeName"), s.VolumeName, "must be an emptyDir volume"))...)
}

func envFrom(p *field.Path, sources []v1.EnvFromSource) field.ErrorList {
	var errs field.ErrorList
	for i, s := range sources {
		at := p.Index(i)
		errs = append(errs, optional(at.Child("prefix"), s.Prefix, envName)...)
		if s.ConfigMapRef != nil {
			errs = append(errs, required(at.Child("configMapRef", "name"), s.ConfigMapRef.Name, subdomain)...)
		}
		if s.SecretRef != nil {
			errs = append(errs, required(at.Child("secretRef", "name"), s.SecretRef.Name, subdomain)...)
		}
		both := s.ConfigMapRef != nil && s.SecretRef != nil
		neither := s.ConfigMapRef == nil && s.SecretRef == nil
		errs = extend(errs,
			when(neither, field.Invalid(p, "", "must specify one of: `configMapRef` or `secretRef`")),
			when(both, field.Invalid(p, "", "may not have more than one field specified at a time")),
		)
	}
	return errs
}

// The pod's fields that the downward API offers: some to variables, some to files.
const (
	envFields = `metadata.name metadata.namespace metadata.uid spec.nodeName spec.serviceAccountName
		status.hostIP status.hostIPs status.podIP status.podIPs`
	fileFields = `metadata.annotations metadata.labels metadata.name metadata.namespace metadata.uid`
	podFields  = envFields + " metadata.annotations metadata.labels spec.restartPolicy spec.schedulerName status.phase"
)

// fieldRef checks a reference to one of the offered fields, or to one label or annotation.
func fieldRef(p *field.Path, s *v1.ObjectFieldSelector, offered string) field.ErrorList {
	if errs := need(p, "apiVersion", s.APIVersion, "fieldPath", s.FieldPath); len(errs) > 0 {
		return errs
	}
	at := p.Child("fieldPath")
	if s.APIVersion != "v1" {
		return field.ErrorList{field.NotSupported(p.Child("apiVersion"), s.APIVersion, []string{"v1"})}
	}
	if path, key, ok := subscript(s.FieldPath); ok {
		switch path {
		case "metadata.annotations":
			return qualified(at, strings.ToLower(key))
		case "metadata.labels":
			return qualified(at, key)
		}
		return field.ErrorList{field.Invalid(at, s.FieldPath, "does not support subscript")}
	}
	if !slices.Contains(strings.Fields(podFields), s.FieldPath) {
		detail := fmt.Sprintf("error converting fieldPath: field label not supported: %s", s.FieldPath)
		return field.ErrorList{field.Invalid(at, s.FieldPath, detail)}
	}
	return oneOf(at, s.FieldPath, strings.Fields(offered)...)
}

// subscript splits a path such as metadata.labels['app'].
func subscript(path string) (string, string, bool) {
	open, ok := strings.CutSuffix(path, "']")
	if !ok {
		return "", "", false
	}
	name, key, ok := strings.Cut(open, "['")
	return name, key, ok && name != ""
}
