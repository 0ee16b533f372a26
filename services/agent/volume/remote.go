//go:build linux

package volume

import (
	"context"
	"net"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/mount"
)

// mountTimeout bounds one try to mount a file system of another machine.
const mountTimeout = 2 * time.Minute

// Mount mounts source, of type fstype, at target. It may take long and ends with ctx.
type Mount func(ctx context.Context, fstype, source, target string, options []string) error

// nfs mounts an NFS volume at path, if it is not mounted. retry is called when a mount that
// took longer than mountPatience has ended.
func (m *Manager) nfs(ctx context.Context, s *v1.NFSVolumeSource, path string, retry func()) error {
	// The kernel's table is asked first: a look at the directory waits for the server.
	at, err := mount.Below(path)
	if err != nil || len(at) > 0 {
		return err
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	var options []string
	if s.ReadOnly {
		options = append(options, "ro")
	}
	return m.slow.do(ctx, path, mountTimeout, retry, func(ctx context.Context) error {
		return m.Mount(ctx, "nfs", nfsSource(s), path, options)
	})
}

// nfsSource is what mount.nfs calls the share. An address of IPv6 is told from the path by brackets.
func nfsSource(s *v1.NFSVolumeSource) string {
	server := s.Server
	if ip := net.ParseIP(server); ip != nil && ip.To4() == nil {
		server = "[" + server + "]"
	}
	return server + ":" + s.Path
}
