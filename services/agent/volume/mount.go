//go:build linux

package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Mounts are the mounts of container c of p, whose volumes Prepare has made. vars is its
// environment, which subPathExpr refers to.
func (m *Manager) Mounts(p *v1.Pod, c *v1.Container, vars map[string]string) ([]sandbox.Mount, error) {
	if len(c.VolumeMounts) == 0 || m.simulated() {
		return nil, nil
	}
	s := m.state(p)
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.gone {
		return nil, errors.New("the pod's volumes have been removed")
	}
	var out []sandbox.Mount
	for i := range c.VolumeMounts {
		one, err := m.mount(s, p, c, i, vars)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (m *Manager) mount(s *state, p *v1.Pod, c *v1.Container, index int, vars map[string]string) (sandbox.Mount, error) {
	vm := &c.VolumeMounts[index]
	at := slices.IndexFunc(p.Spec.Volumes, func(v v1.Volume) bool { return v.Name == vm.Name })
	if at < 0 {
		return sandbox.Mount{}, fmt.Errorf("cannot find volume %q to mount into container %q", vm.Name, c.Name)
	}
	v := &p.Spec.Volumes[at]
	k := kindOf(v)
	out := sandbox.Mount{
		Source: m.path(p.UID, k, v.Name), Target: target(vm.MountPath), ReadOnly: vm.ReadOnly || k.made() || k == kindImage,
		Propagation: propagation(vm.MountPropagation), Options: vm.BindMountOptions,
	}
	sub, err := subPath(vm, vars)
	if err != nil {
		return out, err
	}
	find := made
	switch k {
	case kindImage:
		out.Source = s.images[v.Name]
		find = within
	case kindHost:
		out.Source = v.HostPath.Path
	}
	recursive := vm.RecursiveReadOnly != nil && *vm.RecursiveReadOnly != v1.RecursiveReadOnlyDisabled
	if sub == "" && !recursive {
		return out, nil
	}
	stage := filepath.Join(m.pods, string(p.UID), "volume-subpaths", v.Name, c.Name, strconv.Itoa(index))
	err = stageAt(stage, out.Source, sub, recursive, find)
	if err != nil && recursive && *vm.RecursiveReadOnly == v1.RecursiveReadOnlyIfPossible {
		if sub == "" {
			return out, nil
		}
		err = stageAt(stage, out.Source, sub, false, find)
	}
	if err != nil {
		return out, fmt.Errorf("failed to prepare subPath for volumeMount %q of container %q: %w", vm.Name, c.Name, err)
	}
	out.Source = stage
	return out, nil
}

// target is an absolute path in the container.
func target(p string) string { return filepath.Join("/", p) }

func propagation(mode *v1.MountPropagationMode) string {
	if mode == nil {
		return "rprivate"
	}
	switch *mode {
	case v1.MountPropagationHostToContainer:
		return "rslave"
	case v1.MountPropagationBidirectional:
		return "rshared"
	}
	return "rprivate"
}

// subPath is the mount's sub-path, "" for the whole volume.
func subPath(vm *v1.VolumeMount, vars map[string]string) (string, error) {
	sub := vm.SubPath
	if vm.SubPathExpr != "" {
		var missing []string
		if sub, missing = env.ExpandStrict(vm.SubPathExpr, vars); len(missing) > 0 {
			return "", fmt.Errorf("subPathExpr of volumeMount %q: missing value for %q", vm.Name, missing[0])
		}
	}
	if sub == "" {
		return "", nil
	}
	if filepath.IsAbs(sub) {
		return "", fmt.Errorf("error SubPath `%s` must not be an absolute path", sub)
	}
	if slices.Contains(strings.Split(sub, "/"), "..") {
		return "", fmt.Errorf("unable to provision SubPath `%s`: must not contain '..'", sub)
	}
	return filepath.Clean(sub), nil
}

// made opens what sub names in a volume, and makes it as a directory if it is not there.
func made(dir *os.File, sub string) (*os.File, error) {
	info, err := dir.Stat()
	if err != nil {
		return nil, err
	}
	return makeBeneath(dir, sub, info.Mode())
}

// stageAt binds what sub names below source at stage, where the runtime finds it by a name
// that no container can change. find opens sub.
func stageAt(stage, source, sub string, readOnly bool, find func(dir *os.File, sub string) (*os.File, error)) error {
	dir, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	f := dir
	if sub != "" {
		if f, err = find(dir, sub); err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Of the container's former start; what that has mounted is its own.
	if err := errors.Join(mount.Unmount(stage), removeTree(stage)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(stage), 0o711); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.Mkdir(stage, 0o700)
	} else {
		err = makeFile(stage)
	}
	if err != nil {
		return err
	}
	return mount.Bind(f, stage, readOnly, readOnly)
}

// source is the field that a volume's source is in, for errors.
func source(v *v1.Volume) string {
	s := reflect.ValueOf(v.VolumeSource)
	for i := range s.NumField() {
		if !s.Field(i).IsNil() {
			name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return "none"
}

// Path is a volume's directory on the host, for what reads it besides containers; "" if it has none.
func (m *Manager) Path(p *v1.Pod, volume string) string {
	for i := range p.Spec.Volumes {
		if v := &p.Spec.Volumes[i]; v.Name == volume && v.Image == nil {
			return m.path(p.UID, kindOf(v), v.Name)
		}
	}
	return ""
}
