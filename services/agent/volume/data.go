//go:build linux

package volume

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"

	v1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/env"
)

// collector gathers the files of one volume.
type collector struct {
	*Manager
	pod   *v1.Pod
	state *state
	name  string // of the volume
	read  Source
	out   payload
	// starting: the pod waits for it.
	starting bool
}

// payloadOf gathers the files of a volume whose files the agent writes.
func (m *Manager) payloadOf(ctx context.Context, s *state, p *v1.Pod, v *v1.Volume, read Source, starting bool) (payload, error) {
	c := &collector{Manager: m, pod: p, state: s, name: v.Name, read: read, out: payload{}, starting: starting}
	var err error
	switch {
	case v.ConfigMap != nil:
		err = c.configMap(ctx, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional, base{v.ConfigMap.DefaultMode, v.ConfigMap.DefaultUser})
	case v.Secret != nil:
		err = c.secret(ctx, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional, base{v.Secret.DefaultMode, v.Secret.DefaultUser})
	case v.DownwardAPI != nil:
		err = c.downward(v.DownwardAPI.Items, base{v.DownwardAPI.DefaultMode, v.DownwardAPI.DefaultUser})
	case v.Projected != nil:
		err = c.projected(ctx, v.Projected)
	}
	return c.out, err
}

// base is what a volume's files get that do not say themselves.
type base struct {
	mode *int32
	user *int64
}

const defaultMode = 0o644

// file makes a file of data.
func (b base) file(data []byte, mode *int32, user *int64) file {
	f := file{data: data, mode: defaultMode, uid: cmp.Or(user, b.user)}
	if m := cmp.Or(mode, b.mode); m != nil {
		f.mode = fs.FileMode(*m) & fs.ModePerm
	}
	return f
}

// missingError is about an object or a key that is not there: only a change of it helps.
type missingError string

func (e missingError) Error() string { return string(e) }

func (c *collector) configMap(ctx context.Context, name string, items []v1.KeyToPath, optional *bool, b base) error {
	cm, err := c.read.ConfigMap(ctx, schemas.Namespace(c.pod.Namespace), schemas.Name(name))
	if err != nil {
		return err
	}
	if cm == nil {
		if isTrue(optional) {
			return nil
		}
		return missingError(fmt.Sprintf("configmap %q not found", name))
	}
	if isTrue(cm.Immutable) {
		c.settled(c.state, schemas.RefOf(schemas.ConfigMaps, cm))
	}
	data := make(map[string][]byte, len(cm.Data)+len(cm.BinaryData))
	for k, v := range cm.Data {
		data[k] = []byte(v)
	}
	for k, v := range cm.BinaryData {
		data[k] = v
	}
	return c.keys("configmap references non-existent config key: ", data, items, isTrue(optional), b)
}

func (c *collector) secret(ctx context.Context, name string, items []v1.KeyToPath, optional *bool, b base) error {
	s, err := c.read.Secret(ctx, schemas.Namespace(c.pod.Namespace), schemas.Name(name))
	if err != nil {
		return err
	}
	if s == nil {
		if isTrue(optional) {
			return nil
		}
		return missingError(fmt.Sprintf("secret %q not found", name))
	}
	if isTrue(s.Immutable) {
		c.settled(c.state, schemas.RefOf(schemas.Secrets, s))
	}
	return c.keys("references non-existent secret key: ", s.Data, items, isTrue(optional), b)
}

// keys are the files of data: all of them, or those that items name.
func (c *collector) keys(missing string, data map[string][]byte, items []v1.KeyToPath, optional bool, b base) error {
	if len(items) == 0 {
		for k, v := range data {
			c.out[k] = b.file(v, nil, nil)
		}
		return nil
	}
	for _, i := range items {
		v, ok := data[i.Key]
		if !ok && optional {
			continue
		}
		if !ok {
			return missingError(missing + i.Key)
		}
		c.out[path.Clean(i.Path)] = b.file(v, i.Mode, i.User)
	}
	return nil
}

func (c *collector) downward(items []v1.DownwardAPIVolumeFile, b base) error {
	for _, i := range items {
		var value string
		var err error
		switch {
		case i.FieldRef != nil:
			value, err = env.Field(c.pod, c.Node(), i.FieldRef.FieldPath)
		case i.ResourceFieldRef != nil:
			value, err = env.ResourceField(c.pod, c.Node(), i.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		c.out[path.Clean(i.Path)] = b.file([]byte(value), i.Mode, i.User)
	}
	return nil
}

// projected gathers all sources; a later one's file takes the place of an earlier one's.
func (c *collector) projected(ctx context.Context, s *v1.ProjectedVolumeSource) error {
	b := base{s.DefaultMode, s.DefaultUser}
	var errs []error
	for i := range s.Sources {
		src := &s.Sources[i]
		var err error
		switch {
		case src.ConfigMap != nil:
			err = c.configMap(ctx, src.ConfigMap.Name, src.ConfigMap.Items, src.ConfigMap.Optional, b)
		case src.Secret != nil:
			err = c.secret(ctx, src.Secret.Name, src.Secret.Items, src.Secret.Optional, b)
		case src.DownwardAPI != nil:
			err = c.downward(src.DownwardAPI.Items, b)
		case src.ServiceAccountToken != nil:
			err = c.token(ctx, src.ServiceAccountToken, b)
		case src.ClusterTrustBundle != nil:
			err = c.bundle(ctx, src.ClusterTrustBundle, b)
		case src.PodCertificate != nil:
			err = c.certificate(ctx, src.PodCertificate, i, b)
		}
		errs = append(errs, err)
	}
	return utilerrors.NewAggregate(errs)
}

func isTrue(b *bool) bool { return b != nil && *b }
