//go:build linux

// Package csitest is a storage driver for tests: it serves the interfaces of CSI and of plugin
// registration with their own libraries, and mounts a directory for each volume.
//
// Reads: calls at its sockets. Writes: its sockets, the directories of volumes below its own,
// mounts. What always holds: publishing twice mounts once, and nothing is left of a volume that is
// unpublished.
package csitest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"github.com/skerry/skerry/services/agent/mount"
)

// Driver is a driver, as long as it is set up and not started. Fields with a meaning of their own
// when zero are those of a good one.
type Driver struct {
	Name     string
	Dir      string   // of its socket and volumes
	Registry string   // where it registers
	Kind     string   // CSIPlugin
	Versions []string // 1.0.0
	// MountGroup has it say that it gives volumes to groups itself.
	MountGroup bool
	// Publish is called before a volume is mounted: an error is the answer, and ErrLie is a
	// success without a mount.
	Publish func(ctx context.Context, r *csi.NodePublishVolumeRequest) error
	// Unpublish is called before a volume is unmounted: an error is the answer.
	Unpublish func(ctx context.Context) error
	// Info is the answer to who it is; nil: its name.
	Info func() (*csi.NodeGetInfoResponse, error)

	csi.UnimplementedNodeServer

	mu      sync.Mutex
	asked   []*csi.NodePublishVolumeRequest
	told    []*registration.RegistrationStatus
	news    chan struct{}
	servers []*grpc.Server
	all     sync.WaitGroup
}

// ErrLie has a driver say that it has published what it has not.
var ErrLie = errors.New("published")

// RegistrationSocket is where the driver registers.
func (d *Driver) RegistrationSocket() string { return filepath.Join(d.Registry, d.Name+"-reg.sock") }

// Start serves both sockets until Stop.
func (d *Driver) Start() error {
	d.news = make(chan struct{}, 64)
	for _, dir := range []string{d.Dir, d.Registry} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	node, register := grpc.NewServer(), grpc.NewServer()
	csi.RegisterNodeServer(node, d)
	registration.RegisterRegistrationServer(register, &registrar{Driver: d})
	return errors.Join(d.serve(node, d.endpoint()), d.serve(register, d.RegistrationSocket()))
}

func (d *Driver) endpoint() string { return filepath.Join(d.Dir, "csi.sock") }

func (d *Driver) serve(s *grpc.Server, at string) error {
	if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", at)
	if err != nil {
		return err
	}
	d.servers = append(d.servers, s)
	d.all.Go(func() { _ = s.Serve(l) })
	return nil
}

// Stop ends the driver as a crash does: calls end, sockets go.
func (d *Driver) Stop() {
	for _, s := range d.servers {
		s.Stop()
	}
	d.servers = nil
	d.all.Wait()
}

// Registered waits until the agent has told how a registration went; the reason is "" if well.
func (d *Driver) Registered(ctx context.Context) (reason string, err error) {
	for {
		d.mu.Lock()
		if len(d.told) > 0 {
			st := d.told[0]
			d.told = d.told[1:]
			d.mu.Unlock()
			if !st.PluginRegistered && st.Error == "" {
				return "", errors.New("neither registered nor told why not")
			}
			return st.Error, nil
		}
		d.mu.Unlock()
		select {
		case <-d.news:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Asked are the requests to publish so far.
func (d *Driver) Asked() []*csi.NodePublishVolumeRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*csi.NodePublishVolumeRequest(nil), d.asked...)
}

// registrar is the registration's side of a driver.
type registrar struct {
	registration.UnimplementedRegistrationServer
	*Driver
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	out := &registration.PluginInfo{Type: r.Kind, Name: r.Name, Endpoint: r.endpoint(), SupportedVersions: r.Versions}
	if out.Type == "" {
		out.Type = registration.CSIPlugin
	}
	if out.SupportedVersions == nil {
		out.SupportedVersions = []string{"1.0.0"}
	}
	return out, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, st *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	r.mu.Lock()
	r.told = append(r.told, st)
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// NodeGetInfo implements csi.NodeServer.
func (d *Driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	if d.Info != nil {
		return d.Info()
	}
	return &csi.NodeGetInfoResponse{NodeId: "node of " + d.Name, MaxVolumesPerNode: 7, AccessibleTopology: &csi.Topology{Segments: map[string]string{"a": "b"}}}, nil
}

// NodeGetCapabilities implements csi.NodeServer.
func (d *Driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	kinds := []csi.NodeServiceCapability_RPC_Type{csi.NodeServiceCapability_RPC_GET_VOLUME_STATS}
	if d.MountGroup {
		kinds = append(kinds, csi.NodeServiceCapability_RPC_VOLUME_MOUNT_GROUP)
	}
	out := &csi.NodeGetCapabilitiesResponse{}
	for _, k := range kinds {
		out.Capabilities = append(out.Capabilities, &csi.NodeServiceCapability{Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: k}}})
	}
	return out, nil
}

// NodePublishVolume implements csi.NodeServer.
func (d *Driver) NodePublishVolume(ctx context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.mu.Unlock()
	if d.Publish != nil {
		err := d.Publish(ctx, r)
		if errors.Is(err, ErrLie) {
			return &csi.NodePublishVolumeResponse{}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	store := filepath.Join(d.Dir, "volumes", filepath.Base(r.VolumeId))
	if err := errors.Join(os.MkdirAll(store, 0o755), os.Mkdir(r.TargetPath, 0o755)); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if info, err := os.Lstat(r.TargetPath); err != nil || !info.IsDir() {
		return nil, status.Error(codes.Internal, "the target is no directory") // a mount would follow a link
	}
	if _, there, err := mount.At(r.TargetPath); err != nil || there {
		return &csi.NodePublishVolumeResponse{}, err
	}
	flags := uintptr(unix.MS_BIND)
	if err := unix.Mount(store, r.TargetPath, "", flags, ""); err != nil {
		return nil, status.Error(codes.Internal, fmt.Sprintf("mount %s: %v", r.TargetPath, err))
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume implements csi.NodeServer.
func (d *Driver) NodeUnpublishVolume(ctx context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if d.Unpublish != nil {
		if err := d.Unpublish(ctx); err != nil {
			return nil, err
		}
	}
	if err := mount.Unmount(r.TargetPath); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if err := errors.Join(os.RemoveAll(r.TargetPath), os.RemoveAll(filepath.Join(d.Dir, "volumes", filepath.Base(r.VolumeId)))); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
