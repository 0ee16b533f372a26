//go:build linux

package volume

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/disk"
	"github.com/skerry/skerry/services/agent/mount"
)

// diskTimeout bounds one try to attach, format, check and mount a disk: on a large one that takes.
const diskTimeout = 2 * time.Hour

// disk mounts a block device's file system at path, if it is not mounted.
func (m *Manager) disk(ctx context.Context, p *v1.Pod, v *v1.Volume, path string) error {
	if at, err := mount.Below(path); err != nil || len(at) > 0 {
		return err
	}
	d, err := m.diskOf(ctx, p, v)
	if err != nil {
		return err
	}
	return m.slow.do(ctx, path, diskTimeout, func() { m.Retry(keyOf(p)) }, func(ctx context.Context) error {
		return m.disks.Mount(ctx, d, path, func(ctx context.Context, dir string) error { return give(ctx, dir, p, false) })
	})
}

// diskOf is the disk that a volume names.
func (m *Manager) diskOf(ctx context.Context, p *v1.Pod, v *v1.Volume) (disk.Disk, error) {
	if s := v.FC; s != nil {
		fc := &disk.FC{TargetWWNs: s.TargetWWNs, WWIDs: s.WWIDs}
		if s.Lun != nil {
			fc.LUN = *s.Lun
		}
		return disk.Disk{FC: fc, FSType: s.FSType, ReadOnly: s.ReadOnly}, nil
	}
	s := v.ISCSI
	d := &disk.ISCSI{Portals: []string{disk.Portal(s.TargetPortal)}, IQN: s.IQN, LUN: s.Lun, Interface: s.ISCSIInterface, Volume: v.Name,
		DiscoveryCHAP: s.DiscoveryCHAPAuth, SessionCHAP: s.SessionCHAPAuth}
	for _, portal := range s.Portals {
		d.Portals = append(d.Portals, disk.Portal(portal))
	}
	if s.InitiatorName != nil {
		d.InitiatorName = *s.InitiatorName
	}
	if s.SecretRef != nil && (s.DiscoveryCHAPAuth || s.SessionCHAPAuth) {
		secret, err := m.secretOf(ctx, p, s.SecretRef.Name)
		if err != nil {
			return disk.Disk{}, err
		}
		d.Secret = secret
	}
	return disk.Disk{ISCSI: d, FSType: s.FSType, ReadOnly: s.ReadOnly}, nil
}

// secretOf is what a secret of p's namespace holds.
func (m *Manager) secretOf(ctx context.Context, p *v1.Pod, name string) (map[string]string, error) {
	s, err := m.Source.Secret(ctx, schemas.Namespace(p.Namespace), schemas.Name(name))
	if err == nil && s == nil {
		err = missingError(fmt.Sprintf("secrets %q not found", name))
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't get secret %s/%s error: %w", p.Namespace, name, err)
	}
	out := make(map[string]string, len(s.Data))
	for k, v := range s.Data {
		out[k] = string(v)
	}
	return out, nil
}
