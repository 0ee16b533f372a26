//go:build linux

package volume

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/skerry/skerry/services/agent/csi"
	"github.com/skerry/skerry/services/agent/mount"
)

// ask is what a driver is told of a volume: what its pod says, and, if the driver's object says that
// it wants to know, who the pod is and tokens of its account.
func (m *Manager) ask(ctx context.Context, p *v1.Pod, v *v1.Volume, obj *storagev1.CSIDriver) (*csi.Volume, error) {
	src := v.CSI
	out := &csi.Volume{ID: handle(p.UID, v.Name), ReadOnly: src.ReadOnly != nil && *src.ReadOnly, Context: map[string]string{}, Secrets: map[string]string{}}
	if src.FSType != nil {
		out.FSType = *src.FSType
	}
	if sc := p.Spec.SecurityContext; sc != nil {
		out.Group = sc.FSGroup
	}
	maps.Copy(out.Context, src.VolumeAttributes)
	if ref := src.NodePublishSecretRef; ref != nil {
		secret, err := m.secretOf(ctx, p, ref.Name)
		if err != nil {
			return nil, fmt.Errorf("fetching NodePublishSecretRef %s/%s failed: %w", p.Namespace, ref.Name, err)
		}
		maps.Copy(out.Secrets, secret)
	}
	if isTrue(obj.Spec.PodInfoOnMount) {
		maps.Copy(out.Context, map[string]string{
			"csi.storage.k8s.io/pod.name": p.Name, "csi.storage.k8s.io/pod.namespace": p.Namespace, "csi.storage.k8s.io/pod.uid": string(p.UID),
			"csi.storage.k8s.io/serviceAccount.name": p.Spec.ServiceAccountName, "csi.storage.k8s.io/ephemeral": "true",
		})
	}
	if len(obj.Spec.TokenRequests) > 0 {
		tokens, err := m.driverTokens(ctx, p, obj.Spec.TokenRequests)
		if err != nil {
			return nil, csiError("mounter.SetUpAt failed to get service account token attributes: %w", err)
		}
		to := out.Context
		if isTrue(obj.Spec.ServiceAccountTokenInSecrets) {
			to = out.Secrets
		}
		to["csi.storage.k8s.io/serviceAccount.tokens"] = tokens
	}
	return out, nil
}

// driverTokens are tokens of the pod's account by audience, as JSON.
func (m *Manager) driverTokens(ctx context.Context, p *v1.Pod, requests []storagev1.TokenRequest) (string, error) {
	if m.Tokens == nil {
		return "", errors.New("there are no service account tokens")
	}
	type status struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expirationTimestamp"`
	}
	out := map[string]status{}
	for _, r := range requests {
		t, err := m.Tokens.Token(ctx, p, r.Audience, *cmp.Or(r.ExpirationSeconds, new(int64(defaultTokenSeconds))))
		if err != nil {
			return "", err
		}
		out[r.Audience] = status{t.Value, t.Expires.UTC().Truncate(time.Second)}
	}
	b, err := json.Marshal(out)
	return string(b), err
}

// volumeData is what is kept of a volume that a driver was asked to publish, before it is asked: a
// kubelet's vol_data.json.
type volumeData struct {
	Driver string `json:"driverName"`
	Handle string `json:"volumeHandle"`
	Volume string `json:"specVolID"`
	Mode   string `json:"volumeLifecycleMode"`
}

func dataFile(path string) string { return filepath.Join(filepath.Dir(path), "vol_data.json") }

// publishedFile says, beside a volume, in which life of the host it was published: what was
// mounted before a reboot is not there.
func publishedFile(path string) string { return filepath.Join(filepath.Dir(path), "published") }

func remember(path, driver, id, volume string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	b, err := json.Marshal(volumeData{driver, id, volume, string(storagev1.VolumeLifecycleEphemeral)})
	if err != nil {
		return err
	}
	return replace(dataFile(path), b)
}

// replace writes a file, whole or not at all, also if the power goes.
func replace(to string, data []byte) error {
	f, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// recallVolume is what was kept; nil if nothing was, or nothing that can be read of a volume that is not mounted: a
// power cut can have left that, and no mount has outlived it.
func recallVolume(path string) (*volumeData, error) {
	b, err := os.ReadFile(dataFile(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &volumeData{}
	if err := json.Unmarshal(b, out); err != nil {
		at, mountErr := mount.Below(path)
		if mountErr == nil && len(at) == 0 {
			return nil, nil
		}
		return nil, fmt.Errorf("read %s: %w", dataFile(path), errors.Join(err, mountErr))
	}
	return out, nil
}

// unsaid forgets that a driver was asked.
func unsaid(path string) error {
	for _, f := range []string{publishedFile(path), dataFile(path)} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// boot identifies this life of the host; "" if the kernel does not say.
func boot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func confirm(path string) error { return replace(publishedFile(path), []byte(boot())) }

func published(path string) bool {
	b, err := os.ReadFile(publishedFile(path))
	return err == nil && len(b) > 0 && string(b) == boot()
}
