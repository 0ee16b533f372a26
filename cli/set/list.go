package set

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// list prints the variables of o's containers as they would be with ch, in kubectl's form.
func (c *Env) list(s *session.Session, o target.Found, ch changes) error {
	spec, _ := podSpec(o.Object)
	if spec == nil {
		return fmt.Errorf("%s has no containers", o.Label())
	}
	for _, one := range slices.Concat(spec.Containers, spec.InitContainers) {
		if one.Name != c.Containers && c.Containers != "*" {
			continue
		}
		if _, err := ch.patch(one.Env, c.Overwrite); err != nil {
			return err
		}
		s.Printf("# %s %s, container %s\n", o.Kind.Kind, o.Object.GetName(), one.Name)
		for _, e := range ch.on(one.Env) {
			if e.ValueFrom == nil {
				s.Printf("%s=%s\n", e.Name, e.Value)
			} else {
				s.Printf("# %s from %s\n", e.Name, source(e.ValueFrom))
			}
		}
	}
	return nil
}

// on is what becomes of a container's variables.
func (ch *changes) on(now []corev1.EnvVar) []corev1.EnvVar {
	out := slices.Clone(now)
	for _, e := range ch.set {
		if i := slices.IndexFunc(out, func(o corev1.EnvVar) bool { return o.Name == e.Name }); i >= 0 {
			out[i] = e
		} else {
			out = append(out, e)
		}
	}
	return slices.DeleteFunc(out, func(e corev1.EnvVar) bool { return slices.Contains(ch.remove, e.Name) })
}

func source(from *corev1.EnvVarSource) string {
	switch {
	case from.ConfigMapKeyRef != nil:
		return fmt.Sprintf("configmap %s, key %s", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
	case from.SecretKeyRef != nil:
		return fmt.Sprintf("secret %s, key %s", from.SecretKeyRef.Name, from.SecretKeyRef.Key)
	case from.FieldRef != nil:
		return "field path " + from.FieldRef.FieldPath
	case from.ResourceFieldRef != nil && from.ResourceFieldRef.ContainerName != "":
		return fmt.Sprintf("resource field %s/%s", from.ResourceFieldRef.ContainerName, from.ResourceFieldRef.Resource)
	case from.ResourceFieldRef != nil:
		return "resource field " + from.ResourceFieldRef.Resource
	}
	return "invalid valueFrom"
}
