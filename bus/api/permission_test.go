package api

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	busserver "github.com/skerry/skerry/bus/server"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// guarded returns connections under the permissions that each role really has.
func guarded(t *testing.T, ctx context.Context) (connect func(identity.Role, bus.User) *bus.Conn) {
	t.Helper()
	authority, err := identity.Load(filepath.Join(t.TempDir(), "authority"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := busserver.Start(ctx, busserver.Config{DataDir: t.TempDir(), Identity: authority.ServerConfig()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return func(role identity.Role, user bus.User) *bus.Conn {
		creds, err := authority.Credentials(role, user)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := bus.Connect(ctx, bus.Options{User: user, Creds: creds, InProcess: srv})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
}

// TestUnderPermissions: the whole protocol with the credentials that services have.
func TestUnderPermissions(t *testing.T) {
	ctx := testContext(t)
	connect := guarded(t, ctx)
	serveOn(t, connect(identity.RoleAPIServer, "system:apiserver"), 2, fake{do: echo, watch: func(_ context.Context, r *Request, emit func(WatchEvent) error) error {
		return emit(event("ADDED", r.User.Token(), 1, 200_000))
	}})
	for role, user := range map[identity.Role]bus.User{
		identity.RoleAdmin: "admin", identity.RoleNode: bus.NodeUser("n1.example"),
		identity.RoleController: "system:controller", identity.RoleScheduler: "system:scheduler",
	} {
		c := NewClient(connect(role, user), table())
		for _, size := range []int{10, 3 << 20} { // one message, and streams both ways
			cm := configMap("a")
			cm.Data = map[string]string{"k": strings.Repeat("x", size)}
			if _, err := c.Create(ctx, schemas.ConfigMaps, cm); err != nil {
				t.Errorf("%s, %d bytes: %v", user, size, err)
			}
		}
		err := c.Watch(ctx, schemas.ConfigMaps, "", metav1.ListOptions{}, func(_ string, obj schemas.Object) error {
			if obj.GetName() != user.Token() {
				t.Errorf("%s watches as %s", user, obj.GetName())
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: watch: %v", user, err)
		}
	}
}

// TestNodeStreamUnderPermissions: an agent serves a stream to a person.
func TestNodeStreamUnderPermissions(t *testing.T) {
	ctx := testContext(t)
	connect := guarded(t, ctx)
	admin, agent := connect(identity.RoleAdmin, "admin"), connect(identity.RoleNode, bus.NodeUser("n1.example"))
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	before := agent.NC.NumSubscriptions()
	go func() {
		served <- stream.ServeNode(serving, agent, "n1.example", "logs", 5, func(ctx context.Context, who bus.User, _ []byte, accept func() (*stream.Stream, error)) error {
			s, err := accept()
			if err != nil {
				return err
			}
			return s.SendMessage(ctx, []byte(strings.Repeat(string(who), 100_000)))
		})
	}()
	eventually(t, "the agent's endpoint", func() bool { return agent.NC.NumSubscriptions() > before })
	if err := agent.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	s, err := stream.Dial(ctx, admin, bus.NodeSubject("n1.example", "admin", "logs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if b, err := s.RecvMessage(ctx, 1<<20); err != nil || len(b) != 500_000 {
		t.Errorf("logs: %d bytes, %v", len(b), err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
