// Package env makes a container's environment from its env and envFrom.
//
// It reads ConfigMaps and Secrets through the Source that it is given and writes
// nothing. What always holds: later entries win over earlier ones, env over envFrom;
// keys that cannot be names of variables are left out and reported; and a
// reference that is missing and not optional is an error that names it.
package env

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skerry/skerry/schemas"
)

// Source reads the objects that variables refer to. An object that does not
// exist is nil without an error; an error means that nobody can tell.
type Source interface {
	ConfigMap(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error)
	Secret(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.Secret, error)
}

// Node is what variables can tell of the node and of the running pod.
type Node struct {
	Name        schemas.NodeName
	HostIPs     []string
	PodIPs      []string
	Allocatable v1.ResourceList
	// File reads a file of one of the pod's volumes; nil: none can be read.
	File func(volume, path string) ([]byte, error)
}

// Result is a container's environment, and what was left out of it.
type Result struct {
	Env map[string]string
	// Skipped are "<kind> <namespace>/<name>" → keys that are no variable's name.
	Skipped map[string][]string
}

// Make makes c's environment.
func Make(ctx context.Context, p *v1.Pod, c *v1.Container, n Node, s Source) (Result, error) {
	m := maker{pod: p, container: c, node: n, source: s, Result: Result{Env: map[string]string{}, Skipped: map[string][]string{}}}
	for _, f := range c.EnvFrom {
		if err := m.from(ctx, f); err != nil {
			return Result{}, err
		}
	}
	// References see the variables that come before them, envFrom's included.
	for _, e := range c.Env {
		v, ok, err := m.value(ctx, e)
		if err != nil {
			return Result{}, err
		}
		if ok {
			m.Env[e.Name] = v
		}
	}
	return m.Result, nil
}

type maker struct {
	Result
	pod       *v1.Pod
	container *v1.Container
	node      Node
	source    Source
}

func (m *maker) from(ctx context.Context, f v1.EnvFromSource) error {
	switch {
	case f.ConfigMapRef != nil:
		data, err := m.configMap(ctx, f.ConfigMapRef.Name, optional(f.ConfigMapRef.Optional))
		if err != nil {
			return err
		}
		m.all("ConfigMap", f.ConfigMapRef.Name, f.Prefix, data)
	case f.SecretRef != nil:
		data, err := m.secret(ctx, f.SecretRef.Name, optional(f.SecretRef.Optional))
		if err != nil {
			return err
		}
		m.all("Secret", f.SecretRef.Name, f.Prefix, data)
	}
	return nil
}

func (m *maker) all(kind, name, prefix string, data map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if len(validation.IsRelaxedEnvVarName(prefix+k)) > 0 {
			from := kind + " " + m.pod.Namespace + "/" + name
			m.Skipped[from] = append(m.Skipped[from], prefix+k)
			continue
		}
		m.Env[prefix+k] = data[k]
	}
}

// value is one variable's value; false if it is optional and not there.
func (m *maker) value(ctx context.Context, e v1.EnvVar) (string, bool, error) {
	f := e.ValueFrom
	if f == nil {
		return Expand(e.Value, m.Env), true, nil
	}
	switch {
	case f.FieldRef != nil:
		v, err := field(m.pod, m.node, f.FieldRef.FieldPath)
		return v, true, err
	case f.ResourceFieldRef != nil:
		v, err := resourceField(m.pod, m.container, m.node, f.ResourceFieldRef)
		return v, true, err
	case f.FileKeyRef != nil:
		return m.file(f.FileKeyRef)
	case f.ConfigMapKeyRef != nil:
		r := f.ConfigMapKeyRef
		data, err := m.configMap(ctx, r.Name, optional(r.Optional))
		return pick(data, r.Key, "ConfigMap", m.pod.Namespace+"/"+r.Name, optional(r.Optional), err)
	case f.SecretKeyRef != nil:
		r := f.SecretKeyRef
		data, err := m.secret(ctx, r.Name, optional(r.Optional))
		return pick(data, r.Key, "Secret", m.pod.Namespace+"/"+r.Name, optional(r.Optional), err)
	}
	return "", false, fmt.Errorf("environment variable %s: a source that is not supported", e.Name)
}

func pick(data map[string]string, key, kind, name string, optional bool, err error) (string, bool, error) {
	if err != nil {
		return "", false, err
	}
	v, ok := data[key]
	if !ok && !optional {
		return "", false, fmt.Errorf("couldn't find key %s in %s %s", key, kind, name)
	}
	return v, ok, nil
}

func (m *maker) configMap(ctx context.Context, name string, optional bool) (map[string]string, error) {
	cm, err := m.source.ConfigMap(ctx, schemas.Namespace(m.pod.Namespace), schemas.Name(name))
	if err != nil {
		return nil, fmt.Errorf("read configmap %q: %w", name, err)
	}
	if cm == nil {
		return nil, missing("configmap", name, optional)
	}
	data := maps.Clone(cm.Data)
	if data == nil {
		data = map[string]string{}
	}
	for k, v := range cm.BinaryData {
		data[k] = string(v)
	}
	return data, nil
}

func (m *maker) secret(ctx context.Context, name string, optional bool) (map[string]string, error) {
	s, err := m.source.Secret(ctx, schemas.Namespace(m.pod.Namespace), schemas.Name(name))
	if err != nil {
		return nil, fmt.Errorf("read secret %q: %w", name, err)
	}
	if s == nil {
		return nil, missing("secret", name, optional)
	}
	data := make(map[string]string, len(s.Data))
	for k, v := range s.Data {
		data[k] = string(v)
	}
	return data, nil
}

func missing(kind, name string, optional bool) error {
	if optional {
		return nil
	}
	return fmt.Errorf("%s %q not found", kind, name)
}

func optional(b *bool) bool { return b != nil && *b }

// Message is what the event about skipped keys of one object says.
func Message(from string, keys []string) string {
	return fmt.Sprintf("Keys [%s] from the EnvFrom %s were skipped since they are considered invalid environment variable names.",
		strings.Join(keys, ", "), from)
}
