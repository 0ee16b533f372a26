//go:build unix

package up

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/controller"
	"github.com/skerry/skerry/services/scheduler"
)

// adminService is who the CLI is.
var adminService = service{name: "skerry-cli", role: identity.RoleAdmin, user: "admin"}

// controlPlane returns the services of the control plane, in the order of their start.
func (c *cluster) controlPlane() ([]service, error) {
	signer, err := c.authority.NodeSigner()
	if err != nil {
		return nil, err
	}
	return []service{apiserverService(signer, c.log), controllerService(c.log), schedulerService(c.log)}, nil
}

// replica names this process in elections.
func replica(name string) string {
	h, err := os.Hostname()
	if err != nil {
		h = "unknown"
	}
	return fmt.Sprintf("%s-%s-%d", name, h, os.Getpid())
}

func apiserverService(_ *identity.NodeSigner, _ *slog.Logger) service {
	return service{"apiserver", identity.RoleAPIServer, "system:apiserver", func(ctx context.Context, conn *bus.Conn) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

func controllerService(log *slog.Logger) service {
	return service{"controller", identity.RoleController, "system:controller", func(ctx context.Context, conn *bus.Conn) error {
		return controller.Run(ctx, conn, controller.Config{ID: replica("controller"), Table: kinds.Table(), Log: log.With("service", "controller")})
	}}
}

func schedulerService(log *slog.Logger) service {
	return service{"scheduler", identity.RoleScheduler, "system:scheduler", func(ctx context.Context, conn *bus.Conn) error {
		return scheduler.Run(ctx, conn, scheduler.Config{ID: replica("scheduler"), Table: kinds.Table(), Log: log.With("service", "scheduler")})
	}}
}

func agentService(node schemas.NodeName, socket string, dir dataDir, _ *slog.Logger) service {
	return service{"agent", identity.RoleNode, bus.NodeUser(node), func(ctx context.Context, conn *bus.Conn) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}
