//go:build linux

package up

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/device"
	"github.com/skerry/skerry/services/apiserver"
	"github.com/skerry/skerry/services/controller"
	"github.com/skerry/skerry/services/scheduler"
	"github.com/skerry/skerry/services/scheduler/place"
)

// adminService is who the CLI is.
var adminService = service{name: "skerry-cli", role: identity.RoleAdmin, user: "admin"}

// replica names this process in elections and logs.
func replica(name string) string {
	h, err := os.Hostname()
	if err != nil {
		h = "unknown"
	}
	return fmt.Sprintf("%s-%s-%d", name, h, os.Getpid())
}

// shared is what the services of one process have in common: the copy of the state that
// the apiserver keeps up. All of them may read all of the state, so one copy, decoded
// once, says no service more than its own would. A service alone has nothing here.
type shared struct{ view *view.View }

// apiserverService answers requests; with a signer also those of hosts that join.
func apiserverService(signer *identity.NodeSigner, of Services, gateway netip.AddrPort, sh *shared, log *slog.Logger) service {
	return service{"apiserver", identity.RoleAPIServer, "system:apiserver", func(ctx context.Context, conn *bus.Conn) error {
		sh.view = view.New(conn, kinds.Table())
		return apiserver.Run(ctx, conn, apiserver.Config{ID: replica("apiserver"), Table: kinds.Table(), NodeSigner: signer,
			ServiceCIDR: of.ServiceCIDR, NodePorts: of.NodePorts, Gateway: gateway, View: sh.view, Log: log})
	}}
}

func controllerService(cidr string, rootCA string, sh *shared, log *slog.Logger) service {
	return service{"controller", identity.RoleController, "system:controller", func(ctx context.Context, conn *bus.Conn) error {
		return controller.Run(ctx, conn, controller.Config{ID: replica("controller"), Table: kinds.Table(), ClusterCIDR: cidr, RootCA: rootCA, View: sh.view, Log: log})
	}}
}

func schedulerService(name string, how Placing, sh *shared, log *slog.Logger) service {
	return service{"scheduler", identity.RoleScheduler, "system:scheduler", func(ctx context.Context, conn *bus.Conn) error {
		return scheduler.Run(ctx, conn, scheduler.Config{ID: replica("scheduler"), Name: name, Policy: place.Policy{Pack: how.Pack},
			Rebalance: scheduler.Rebalance{Every: how.Rebalance, Most: how.RebalanceMost}, Table: kinds.Table(), View: sh.view, Log: log})
	}}
}

// agentService runs this machine's pods on the Podman at socket.
func (h *Host) agentService(node schemas.NodeName, socket, version string, dir dataDir, log *slog.Logger) service {
	return service{"agent", identity.RoleNode, bus.NodeUser(node), func(ctx context.Context, conn *bus.Conn) error {
		pressure, err := h.config()
		if err != nil {
			return err
		}
		devices, err := device.Parse(h.Devices)
		if err != nil {
			return err
		}
		return agent.Run(ctx, conn, agent.Config{
			Node: node, Socket: socket, DataDir: dir.agent(), Table: kinds.Table(), Log: log, Version: version,
			Address: h.Address, Labels: h.NodeLabels, MaxPods: h.MaxPods, Devices: devices, Eviction: pressure, PidsLimit: h.PodMaxPids, FlexDir: h.FlexDir,
			SeccompDefault: h.SeccompDefault, UnsafeSysctls: h.UnsafeSysctls, ClusterDomain: h.ClusterDomain, ClusterDNS: h.ClusterDNS,
		})
	}}
}
