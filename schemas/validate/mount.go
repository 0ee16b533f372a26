package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// mounts checks what a container mounts: volumes that exist, each place once.
func (r *podRules) mounts(p *field.Path, c *v1.Container) field.ErrorList {
	var errs field.ErrorList
	places, devices, devicePaths := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, d := range c.VolumeDevices {
		devices[d.Name], devicePaths[d.DevicePath] = true, true
	}
	for i, m := range c.VolumeMounts {
		at := p.Index(i)
		source, known := r.volumes[m.Name]
		errs = extend(errs,
			need(at, "name", m.Name, "mountPath", m.MountPath),
			when(m.Name != "" && !known, field.NotFound(at.Child("name"), m.Name)),
			when(m.MountPath != "" && places[m.MountPath], field.Invalid(at.Child("mountPath"), m.MountPath, "must be unique")),
			when(devices[m.Name], field.Invalid(at.Child("name"), m.Name, "must not already exist in volumeDevices")),
			when(devicePaths[m.MountPath], field.Invalid(at.Child("mountPath"), m.MountPath, "must not already exist as a path in volumeDevices")),
			subPaths(at, &m),
			propagation(at.Child("mountPropagation"), m.MountPropagation, privileged(c)),
			bindOptions(at.Child("bindMountOptions"), m.BindMountOptions, known && source.Image != nil),
			recursiveReadOnly(at.Child("recursiveReadOnly"), &m),
		)
		places[m.MountPath] = true
	}
	return errs
}

func subPaths(p *field.Path, m *v1.VolumeMount) field.ErrorList {
	both := m.SubPath != "" && m.SubPathExpr != ""
	return slices.Concat(
		optional(p.Child("subPath"), m.SubPath, descending),
		optional(p.Child("subPathExpr"), m.SubPathExpr, descending),
		when(both, field.Invalid(p.Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive")),
	)
}

func propagation(p *field.Path, mode *v1.MountPropagationMode, privileged bool) field.ErrorList {
	errs := maybeOneOf(p, mode, v1.MountPropagationBidirectional, v1.MountPropagationHostToContainer, v1.MountPropagationNone)
	back := mode != nil && *mode == v1.MountPropagationBidirectional
	return append(errs, when(back && !privileged,
		field.Forbidden(p, "Bidirectional mount propagation is available only to privileged containers"))...)
}

func bindOptions(p *field.Path, options []string, image bool) field.ErrorList {
	errs := when(image && len(options) > 0, field.Invalid(p, options, "bindMountOptions may not be used with image volumes"))
	for i, o := range options {
		errs = append(errs, oneOf(p.Index(i), o, "noexec", "nodev", "nosuid")...)
		errs = append(errs, when(slices.Contains(options[:i], o), field.Duplicate(p.Index(i), o))...)
	}
	return errs
}

func privileged(c *v1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}

func recursiveReadOnly(p *field.Path, m *v1.VolumeMount) field.ErrorList {
	if m.RecursiveReadOnly == nil || *m.RecursiveReadOnly == v1.RecursiveReadOnlyDisabled {
		return nil
	}
	propagates := m.MountPropagation != nil && *m.MountPropagation != v1.MountPropagationNone
	return slices.Concat(
		maybeOneOf(p, m.RecursiveReadOnly, v1.RecursiveReadOnlyDisabled, v1.RecursiveReadOnlyEnabled, v1.RecursiveReadOnlyIfPossible),
		when(!m.ReadOnly, field.Forbidden(p, "may only be specified when readOnly is true")),
		when(propagates, field.Forbidden(p, "may only be specified when mountPropagation is None or not specified")),
	)
}

// devices checks the volumes that a container gets as block devices: only claims can be.
func (r *podRules) devices(p *field.Path, c *v1.Container) field.ErrorList {
	const notAClaim = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
	var errs field.ErrorList
	names, places := map[string]bool{}, map[string]bool{}
	for i, d := range c.VolumeDevices {
		at := p.Index(i)
		source, known := r.volumes[d.Name]
		claim := source.PersistentVolumeClaim != nil || source.Ephemeral != nil
		errs = extend(errs,
			need(at, "name", d.Name, "devicePath", d.DevicePath),
			when(d.Name != "" && names[d.Name], field.Invalid(at.Child("name"), d.Name, "must be unique")),
			when(d.Name != "" && !known, field.NotFound(at.Child("name"), d.Name)),
			when(known && !claim, field.Invalid(at.Child("name"), d.Name, notAClaim)),
			when(d.DevicePath != "" && places[d.DevicePath], field.Invalid(at.Child("devicePath"), d.DevicePath, "must be unique")),
			noBacksteps(at.Child("devicePath"), d.DevicePath),
		)
		names[d.Name], places[d.DevicePath] = true, true
	}
	return errs
}
