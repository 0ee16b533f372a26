//go:build linux

package volume

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/csi"
	"github.com/skerry/skerry/services/agent/mount"
)

// Drivers reads what an administrator says of storage drivers.
type Drivers interface {
	// CSIDriver is a driver's object, nil if there is none.
	CSIDriver(ctx context.Context, name schemas.Name) (*storagev1.CSIDriver, error)
}

const (
	// publishTimeout bounds one try to have a volume published.
	publishTimeout = 5 * time.Minute
	// republishEvery is how often a driver that wants to is asked to publish again.
	republishEvery = 90 * time.Second
)

// csi has a driver publish a volume at path, unless it has.
func (m *Manager) csi(ctx context.Context, s *state, p *v1.Pod, v *v1.Volume, path string) error {
	if !published(path) {
		err := m.slow.do(ctx, path, publishTimeout, func() { m.Retry(keyOf(p)) }, func(ctx context.Context) error {
			return m.publish(ctx, p, v, path, true)
		})
		if err != nil {
			return err
		}
	}
	obj, err := m.driverObject(ctx, v.CSI.Driver)
	if err == nil && obj != nil && isTrue(obj.Spec.RequiresRepublish) {
		s.republish[v.Name] = true
	}
	return nil
}

// republish has a driver publish a volume again, if it wants to: what it was told may have changed.
func (m *Manager) republish(ctx context.Context, s *state, p *v1.Pod, v *v1.Volume, path string) error {
	if !s.republish[v.Name] {
		return nil
	}
	err := m.slow.do(ctx, path, publishTimeout, func() {}, func(ctx context.Context) error {
		return m.publish(ctx, p, v, path, false)
	})
	if errors.Is(err, errMounting) {
		return nil // its end is told of the next time
	}
	return err
}

// driverObject is what an administrator says of a driver, nil if nothing.
func (m *Manager) driverObject(ctx context.Context, driver string) (*storagev1.CSIDriver, error) {
	if m.Drivers == nil {
		return nil, nil
	}
	return m.Drivers.CSIDriver(ctx, schemas.Name(driver))
}

// handle is the volume's id for the driver, as a kubelet makes it: the same each time.
func handle(uid types.UID, volume string) string {
	return fmt.Sprintf("csi-%x", sha256.Sum256([]byte(string(uid)+volume)))
}

// csiError says what failed in the kubelet's words.
func csiError(format string, args ...any) error {
	return fmt.Errorf("kubernetes.io/csi: "+format, args...)
}

// publish tells the driver all that it is to know, and has it mount the volume. first is false for one that
// is published.
func (m *Manager) publish(ctx context.Context, p *v1.Pod, v *v1.Volume, path string, first bool) error {
	d, err := m.drivers.Driver(v.CSI.Driver)
	if err != nil {
		return csiError("mounter.SetUpAt failed to get CSI client: %w", err)
	}
	obj, err := m.driverObject(ctx, v.CSI.Driver)
	if err == nil {
		err = ephemeral(obj, v.CSI.Driver)
	}
	if err != nil {
		return csiError("mounter.SetupAt failed to check volume lifecycle mode: %w", err)
	}
	ask, err := m.ask(ctx, p, v, obj)
	if err != nil {
		return err
	}
	ask.Target = path
	can, err := d.Abilities(ctx)
	if err != nil {
		return csiError("mounter.SetUpAt failed to determine if the node service has VOLUME_MOUNT_GROUP capability: %w", err)
	}
	if err := remember(path, d.Name, ask.ID, v.Name); err != nil {
		return csiError("mounter.SetUpAt failed to save volume info data: %w", err)
	}
	if err := d.Publish(ctx, ask, can); err != nil {
		if first && csi.Final(err) {
			return errors.Join(err, unsaid(path))
		}
		return err
	}
	// What the driver has made is mounted into containers by its name.
	if info, err := os.Lstat(path); err != nil || !info.IsDir() {
		return csiError("driver %s says that it has published the volume, but there is no directory: %w", d.Name, errors.Join(err, fs.ErrNotExist))
	}
	if first && !can.MountGroup && groupApplies(v, obj) {
		if err := give(ctx, path, p, false); err != nil {
			return err
		}
	}
	return confirm(path)
}

// ephemeral fails unless the driver's object says that it serves volumes that live with their pod.
func ephemeral(obj *storagev1.CSIDriver, driver string) error {
	const mode = storagev1.VolumeLifecycleEphemeral
	switch {
	case obj == nil:
		return fmt.Errorf("volume mode %q not supported by driver %s (no CSIDriver object)", mode, driver)
	case !slices.Contains(obj.Spec.VolumeLifecycleModes, mode):
		return fmt.Errorf("volume mode %q not supported by driver %s (only supports %q)", mode, driver, obj.Spec.VolumeLifecycleModes)
	}
	return nil
}

// groupApplies tells whether the agent gives the volume to the pod's group.
func groupApplies(v *v1.Volume, obj *storagev1.CSIDriver) bool {
	if v.CSI.ReadOnly != nil && *v.CSI.ReadOnly || obj.Spec.FSGroupPolicy == nil {
		return false
	}
	switch *obj.Spec.FSGroupPolicy {
	case storagev1.FileFSGroupPolicy:
		return true
	case storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy:
		return v.CSI.FSType != nil && *v.CSI.FSType != ""
	}
	return false
}

// driverCame has pods that wait for a driver try again.
func (m *Manager) driverCame(name string) {
	m.mu.Lock()
	var again []*v1.Pod
	for _, s := range m.known {
		if s.waiting && slices.ContainsFunc(s.pod.Spec.Volumes, func(v v1.Volume) bool { return v.CSI != nil && v.CSI.Driver == name }) {
			again = append(again, s.pod)
		}
	}
	m.mu.Unlock()
	for _, p := range again {
		m.Retry(keyOf(p))
	}
}

// unpublish has the drivers of a pod's volumes unmount them. It fails while one has not; then the
// pod is not gone, as for a kubelet.
func (m *Manager) unpublish(uid types.UID, again func()) error {
	dir := filepath.Join(m.pods, string(uid), "volumes", string(kindCSI))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name(), "mount")
		had, err := recallVolume(path)
		if err == nil && had != nil {
			err = m.unpublishOne(had, path, again)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("UnmountVolume.TearDown failed for volume %q : %w", e.Name(), err))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) unpublishOne(had *volumeData, path string, again func()) error {
	d, err := m.drivers.Driver(had.Driver)
	if err != nil {
		return csiError("Unmounter.TearDownAt failed to get CSI client: %w", err)
	}
	// Under another name than what mounts there: that is given up, this is not.
	err = m.slow.do(context.Background(), "unpublish "+path, publishTimeout, again, func(ctx context.Context) error {
		if err := d.Unpublish(ctx, had.Handle, path); err != nil {
			return csiError("Unmounter.TearDownAt failed: %w", err)
		}
		// What a careless driver leaves is not counted as published any more.
		return errors.Join(mount.Unmount(path), unsaid(path))
	})
	if errors.Is(err, errMounting) {
		return errors.New("it is being unmounted, which takes a while")
	}
	return err
}
