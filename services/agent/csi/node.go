//go:build linux

package csi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// callLimit bounds one call of a driver, as the kubelet's csiTimeout.
const callLimit = 2 * time.Minute

// Volume is a volume of a pod, which lives as long as the pod.
type Volume struct {
	ID       string
	Target   string // where the driver is to mount it; the driver makes it
	ReadOnly bool
	FSType   string
	Context  map[string]string
	Secrets  map[string]string
	Group    *int64 // whose it is to be, of a driver that can say so
}

// Abilities are what a driver can do beyond mounting.
type Abilities struct {
	MountGroup  bool // it gives the volume to a group itself
	MultiWriter bool // it tells several writers on one node from one
}

// The capabilities of NodeServiceCapability.RPC.Type that matter here.
const (
	capabilityMultiWriter = 5
	capabilityMountGroup  = 6
)

// The access modes of VolumeCapability.AccessMode for a volume that one node writes.
const (
	singleNodeWriter      = 1
	singleNodeMultiWriter = 7
)

// info asks the driver who it is; only that it answers matters, as nothing here attaches.
func info(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	answer, err := call(ctx, endpoint, "csi.v1.Node/NodeGetInfo", nil)
	if err != nil {
		return err
	}
	id := ""
	err = fields(answer, func(n protowire.Number, value []byte, _ uint64) {
		if n == 1 {
			id = string(value)
		}
	})
	if err == nil && id == "" {
		err = fmt.Errorf("the driver says no id of this node")
	}
	return err
}

// Abilities asks what the driver can do.
func (d Driver) Abilities(ctx context.Context) (Abilities, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	answer, err := call(ctx, d.endpoint, "csi.v1.Node/NodeGetCapabilities", nil)
	if err != nil {
		return Abilities{}, err
	}
	var out Abilities
	err = fields(answer, func(n protowire.Number, capability []byte, _ uint64) {
		if n != 1 {
			return
		}
		_ = fields(capability, func(n protowire.Number, rpc []byte, _ uint64) {
			if n != 1 {
				return
			}
			_ = fields(rpc, func(n protowire.Number, _ []byte, kind uint64) {
				out.MountGroup = out.MountGroup || n == 1 && kind == capabilityMountGroup
				out.MultiWriter = out.MultiWriter || n == 1 && kind == capabilityMultiWriter
			})
		})
	})
	return out, err
}

// Publish has the driver mount v. Doing it again is harmless.
func (d Driver) Publish(ctx context.Context, v *Volume, a Abilities) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_, err := call(ctx, d.endpoint, "csi.v1.Node/NodePublishVolume", publishRequest(v, a))
	return err
}

// publishRequest is a NodePublishVolumeRequest.
func publishRequest(v *Volume, a Abilities) []byte {
	mode := uint64(singleNodeWriter)
	if a.MultiWriter {
		mode = singleNodeMultiWriter
	}
	group := ""
	if a.MountGroup && v.Group != nil {
		group = strconv.FormatInt(*v.Group, 10)
	}
	filesystem := text(text(nil, 1, v.FSType), 3, group)
	capability := sub(nil, 2, filesystem)
	capability = sub(capability, 3, number(nil, 1, mode))
	m := text(nil, 1, v.ID)
	m = text(m, 4, v.Target)
	m = sub(m, 5, capability)
	if v.ReadOnly {
		m = number(m, 6, 1)
	}
	m = pairs(m, 7, v.Secrets)
	return pairs(m, 8, v.Context)
}

// Unpublish has the driver unmount a volume and remove its target. Doing it again is harmless.
func (d Driver) Unpublish(ctx context.Context, id, target string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_, err := call(ctx, d.endpoint, "csi.v1.Node/NodeUnpublishVolume", text(text(nil, 1, id), 2, target))
	return err
}

// The pieces of a message of protocol buffers. What is empty is left out, as always.

func text(m []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return m
	}
	return protowire.AppendString(protowire.AppendTag(m, n, protowire.BytesType), s)
}

func number(m []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

func sub(m []byte, n protowire.Number, one []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), one)
}

func pairs(m []byte, n protowire.Number, all map[string]string) []byte {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		m = sub(m, n, text(text(nil, 1, k), 2, all[k]))
	}
	return m
}

// fields calls f with each field of a message: with its bytes, or with its number.
func fields(m []byte, f func(n protowire.Number, value []byte, v uint64)) error {
	for len(m) > 0 {
		n, kind, size := protowire.ConsumeTag(m)
		if size < 0 {
			return &Error{codeInternal, "grpc: failed to unmarshal the received message: " + protowire.ParseError(size).Error()}
		}
		m = m[size:]
		var value []byte
		var v uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(m)
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(m)
		default:
			size = protowire.ConsumeFieldValue(n, kind, m)
		}
		if size < 0 {
			return &Error{codeInternal, "grpc: failed to unmarshal the received message: " + protowire.ParseError(size).Error()}
		}
		f(n, value, v)
		m = m[size:]
	}
	return nil
}
