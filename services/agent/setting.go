//go:build linux

package agent

import (
	"path/filepath"

	"github.com/skerry/skerry/services/agent/device"
	"github.com/skerry/skerry/services/agent/node"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/resolver"
)

// settings are what the host's owner decided about pods, and what the host has.
func settings(c Config) pod.Settings {
	return pod.Settings{
		SeccompDefault: c.SeccompDefault, SeccompRoot: filepath.Join(c.DataDir, "seccomp"),
		UnsafeSysctls: c.UnsafeSysctls, ClusterDomain: c.ClusterDomain, AppArmor: node.HasAppArmor(),
	}
}

// newNames keeps pods' files of names; nil if the runtime is simulated, where nothing
// reads them.
func newNames(c Config) *resolver.Files {
	if c.Socket == "" {
		return nil
	}
	return &resolver.Files{
		Dir: filepath.Join(c.DataDir, "resolver"), Cluster: resolver.Cluster{Domain: c.ClusterDomain, Servers: c.ClusterDNS},
		Hosts: resolver.HostsFile, Resolv: resolver.ResolvFile, Upstream: resolver.UpstreamFile,
	}
}

// openDevices is who has which of the node's devices; nil if it declares none.
func openDevices(c Config) (*device.Ledger, error) {
	if len(c.Devices) == 0 || c.DataDir == "" {
		return nil, nil
	}
	return device.Open(c.DataDir, c.Devices)
}

// sweepNames removes the files of pods that are gone.
func (a *agent) sweepNames() error {
	if a.names == nil || !a.orders.isSynced() {
		return nil
	}
	return a.names.Sweep(a.orders.has)
}
