//go:build linux

package volume

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/flex"
	"github.com/skerry/skerry/services/agent/mount"
)

// flexKind is the directory of a driver's volumes, as for a kubelet. A name that is none has no driver, and
// its directory is never made.
func flexKind(driver string) kind {
	dir, err := flex.DirName(driver)
	if err != nil {
		return kindFlex
	}
	return kind(dir)
}

// flex has a driver mount a volume at path, unless something is mounted there.
func (m *Manager) flex(ctx context.Context, p *v1.Pod, v *v1.Volume, path string) error {
	if at, err := mount.Below(path); err != nil || len(at) > 0 {
		return err
	}
	secrets, err := m.flexSecrets(ctx, p, v.FlexVolume)
	if err != nil {
		return err
	}
	return m.slow.do(ctx, path, publishTimeout, func() { m.Retry(keyOf(p)) }, func(ctx context.Context) error {
		return m.mountFlex(ctx, p, v, path, secrets)
	})
}

func (m *Manager) mountFlex(ctx context.Context, p *v1.Pod, v *v1.Volume, path string, secrets map[string]string) error {
	src := v.FlexVolume
	d, err := m.flexes.Find(ctx, src.Driver)
	if err != nil {
		return fmt.Errorf("failed to get Plugin from volumeSpec for volume %q err=%w", v.Name, err)
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	own := func(context.Context, string) error { return nil }
	if d.FSGroup {
		own = func(ctx context.Context, dir string) error { return give(ctx, dir, p, false) }
	}
	options := flexOptions(v)
	device := disk.Disk{Flex: &disk.Flex{Driver: src.Driver, Volume: v.Name, Node: string(m.Node().Name), Options: maps.Clone(options)}, FSType: src.FSType, ReadOnly: src.ReadOnly}
	if d.Attach {
		if err := m.disks.Hold(ctx, device); err != nil {
			return err
		}
	}
	maps.Copy(options, secrets)
	maps.Copy(options, podOptions(p))
	maps.Copy(options, src.Options)
	err = d.Mount(ctx, path, options)
	switch {
	case errors.Is(err, flex.ErrNotSupported) && d.Attach:
		return m.disks.Mount(ctx, device, path, own)
	case err != nil:
		// Nothing was mounted, so nothing is to be unmounted; else the directory stays.
		_ = os.Remove(path)
		return err
	case src.ReadOnly:
		return nil
	}
	return own(ctx, path)
}

// flexOptions are what a driver is told of a volume by all verbs.
func flexOptions(v *v1.Volume) map[string]string {
	mode := "rw"
	if v.FlexVolume.ReadOnly {
		mode = "ro"
	}
	out := map[string]string{"kubernetes.io/fsType": v.FlexVolume.FSType, "kubernetes.io/readwrite": mode, "kubernetes.io/pvOrVolumeName": v.Name}
	maps.Copy(out, v.FlexVolume.Options)
	return out
}

// podOptions are what a driver is told of the pod when it mounts.
func podOptions(p *v1.Pod) map[string]string {
	out := map[string]string{"kubernetes.io/pod.name": p.Name, "kubernetes.io/pod.namespace": p.Namespace, "kubernetes.io/pod.uid": string(p.UID),
		"kubernetes.io/serviceAccount.name": p.Spec.ServiceAccountName}
	if sc := p.Spec.SecurityContext; sc != nil && sc.FSGroup != nil {
		out["kubernetes.io/mounterArgs.FsGroup"] = strconv.FormatInt(*sc.FSGroup, 10)
	}
	return out
}

// flexSecrets are what the volume's secret holds, for its driver only: the secret is of the driver's type.
func (m *Manager) flexSecrets(ctx context.Context, p *v1.Pod, src *v1.FlexVolumeSource) (map[string]string, error) {
	if src.SecretRef == nil {
		return nil, nil
	}
	name := src.SecretRef.Name
	s, err := m.Source.Secret(ctx, schemas.Namespace(p.Namespace), schemas.Name(name))
	switch {
	case err == nil && s == nil:
		err = missingError(fmt.Sprintf("secrets %q not found", name))
	case err == nil && s.Type != v1.SecretType(src.Driver):
		err = fmt.Errorf("cannot get secret of type %s", src.Driver)
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't get secret %s/%s err: %w", p.Namespace, name, err)
	}
	out := map[string]string{}
	for k, v := range s.Data {
		out["kubernetes.io/secret/"+k] = base64.StdEncoding.EncodeToString(v)
	}
	return out, nil
}

// unmountFlex has the drivers of a pod's volumes unmount them. It fails while one has not.
func (m *Manager) unmountFlex(uid types.UID, again func()) error {
	dir := filepath.Join(m.pods, string(uid), "volumes")
	kinds, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, k := range kinds {
		if strings.HasPrefix(k.Name(), "kubernetes.io~") {
			continue
		}
		volumes, err := os.ReadDir(filepath.Join(dir, k.Name()))
		errs = append(errs, err)
		for _, v := range volumes {
			if err := m.unmountOneFlex(flex.NameOf(k.Name()), filepath.Join(dir, k.Name(), v.Name()), again); err != nil {
				errs = append(errs, fmt.Errorf("UnmountVolume.TearDown failed for volume %q : %w", v.Name(), err))
			}
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) unmountOneFlex(driver, path string, again func()) error {
	err := m.slow.do(context.Background(), "unmount "+path, publishTimeout, again, func(ctx context.Context) error {
		d, err := m.flexes.Find(ctx, driver)
		if err != nil {
			return err
		}
		if err := d.Unmount(ctx, path); err != nil && !errors.Is(err, flex.ErrNotSupported) {
			return err
		}
		// The driver may have removed the directory. What it holds once nothing is mounted there goes with the pod.
		if err := mount.Unmount(path); err != nil {
			return err
		}
		return removeTree(path)
	})
	if errors.Is(err, errMounting) {
		return errors.New("it is being unmounted, which takes a while")
	}
	return err
}
