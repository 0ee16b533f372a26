package identity_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/server"
	"github.com/skerry/skerry/bus/store"
)

// cluster is a real server that enforces a real authority.
type cluster struct {
	authority *identity.Authority
	server    *server.Server
}

func start(t *testing.T) *cluster {
	t.Helper()
	a, err := identity.Load(filepath.Join(t.TempDir(), "authority"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(context.Background(), server.Config{DataDir: t.TempDir(), Identity: a.ServerConfig()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	c := &cluster{a, s}
	if err := store.Provision(context.Background(), c.conn(t, identity.RoleAPIServer, "system:apiserver")); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) conn(t *testing.T, role identity.Role, user bus.User) *bus.Conn {
	t.Helper()
	creds, err := c.authority.Credentials(role, user)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(context.Background(), bus.Options{User: user, Creds: creds, InProcess: c.server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// violation does f and returns the server's complaint, or nil. The server answers
// in order, so after a flush there is nothing more to come.
func violation(t *testing.T, conn *bus.Conn, f func(nc *nats.Conn) error) error {
	t.Helper()
	complaints := make(chan error, 16)
	conn.NC.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { complaints <- err })
	if err := f(conn.NC); err != nil {
		t.Fatal(err)
	}
	if err := conn.NC.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := conn.NC.LastError(); err != nil && errors.Is(err, nats.ErrPermissionViolation) {
		return err
	}
	select {
	case err := <-complaints:
		return err
	default:
		return nil
	}
}

func publish(subject string) func(*nats.Conn) error {
	return func(nc *nats.Conn) error { return nc.Publish(subject, []byte("x")) }
}

func subscribe(subject string) func(*nats.Conn) error {
	return func(nc *nats.Conn) error { _, err := nc.SubscribeSync(subject); return err }
}

// TestWritersTable asks the server, for every role, what the table of writers says.
func TestWritersTable(t *testing.T) {
	c := start(t)
	pub, sub := publish, subscribe
	type act struct {
		what string
		do   func(*nats.Conn) error
	}
	p := func(s string) act { return act{"publish " + s, pub(s)} }
	s := func(s string) act { return act{"subscribe " + s, sub(s)} }

	const stranger = "$KV.state.desired.pods.default.x"
	destroy := []act{
		p("$JS.API.STREAM.DELETE.KV_state"), p("$JS.API.STREAM.PURGE.KV_state"), p("$JS.API.STREAM.MSG.DELETE.KV_state"),
		p("$JS.API.STREAM.DELETE.KV_revisions"), p("$JS.API.STREAM.PURGE.KV_revisions"), p("$JS.API.STREAM.RESTORE.KV_state"),
		p("$JS.API.CONSUMER.CREATE.KV_state"), p("$JS.API.CONSUMER.CREATE.KV_state.c.$KV.state.>"), p("$JS.API.CONSUMER.DURABLE.CREATE.KV_state.c"),
	}
	tests := []struct {
		role   identity.Role
		user   bus.User
		may    []act
		mayNot []act
	}{
		{identity.RoleNode, "system:node:n1",
			[]act{p("$KV.state.observed.n1.node"), p("$KV.state.observed.n1.pods.default.x"), p("heartbeat.n1"),
				p("api.system=3anode=3an1.get.nodes"), p("stream.admin.n1.abc.out"),
				s("watch.state.assigned.n1.>"), s("node.n1.*.logs"), s("_INBOX.system=3anode=3an1.>"), s("stream.*.n1.*.in")},
			[]act{p(stranger), p("$KV.state.desired.nodes._.n1"), p("$KV.state.observed.n2.node"), p("$KV.state.assigned.n1.default.x"),
				p("$KV.state.current.nodes._.n1"), p("$KV.revisions.pods.default.x"), p("heartbeat.n2"), p("$KV.leases.node.n1"), s("heartbeat.*"), p("$KV.leases.leader.scheduler"),
				p("api.admin.get.secrets"), p("api.system=3anode=3an2.get.nodes"), p("$JS.API.DIRECT.GET.KV_state"),
				p("$JS.API.DIRECT.GET.KV_state.$KV.state.assigned.n2.default.x"), p("$JS.API.STREAM.MSG.GET.KV_state"), p("node.n2.admin.exec"),
				p("controller.status"), p("scheduler.bind"), p("_INBOX.admin.x"), p("watch.state.assigned.n1.default.x"),
				s("watch.state.assigned.n2.>"), s("watch.state.assigned.>"), s("watch.>"), s("$KV.state.>"), s("_INBOX.>"), s("api.>"), s("node.n2.>"), s(">")}},
		{identity.RoleAPIServer, "system:apiserver",
			[]act{p(stranger), p("$KV.revisions.pods.default.x"), p("events.default.e"), p("audit.admin.create"), s("api.>"), s("watch.>"), p("scheduler.bind"), p("controller.status")},
			[]act{p("$KV.state.assigned.n1.default.x"), p("$KV.state.observed.n1.node"), p("$KV.state.current.nodes._.n1"), p("api.admin.get.pods")}},
		{identity.RoleController, "system:controller",
			[]act{p("$KV.state.current.nodes._.n1"), p("api.system=3acontroller.create.pods"), s("watch.>"), s("controller.status"), s("heartbeat.*"), p("$KV.leases.leader.controller")},
			[]act{p(stranger), p("$KV.state.assigned.n1.default.x"), p("$KV.state.observed.n1.node"), p("$KV.leases.leader.scheduler"), p("api.admin.get.pods"), s("api.>")}},
		{identity.RoleScheduler, "system:scheduler",
			[]act{p("$KV.state.assigned.n1.default.x"), p("$KV.state.assigned._.default.x"), s("watch.>"), s("scheduler.bind"), p("$KV.leases.leader.scheduler")},
			[]act{p(stranger), p("$KV.state.current.nodes._.n1"), p("$KV.state.observed.n1.node"), p("$KV.leases.leader.controller"), s("api.>")}},
		{identity.RoleAdmin, "admin",
			[]act{p("api.admin.create.pods"), p("node.n1.admin.exec"), p("stream.admin.n1.abc.in"), s("stream.admin.n1.abc.out"), p("$SRV.PING"), p("$JS.API.DIRECT.GET.KV_state.$KV.state.desired.pods.default.x")},
			[]act{p(stranger), p("$KV.state.current.nodes._.n1"), p("api.other.create.pods"), p("node.n1.other.exec"), s("stream.other.n1.abc.out"), s("_INBOX.>"), p("$KV.leases.leader.controller")}},
		{identity.RoleGateway, "system:gateway",
			[]act{p("api.system=3agateway.create.pods"), p("node.n1.system=3agateway.logs"), p("stream.system=3agateway.n1.abc.in"), s("stream.system=3agateway.n1.abc.out"), s("_INBOX.system=3agateway.>")},
			[]act{p(stranger), p("api.admin.create.pods"), p("node.n1.admin.exec"), s("stream.admin.n1.abc.out"), s("watch.>"), s("watch.state.desired.>"), s("api.>"), s("_INBOX.>"),
				p("$JS.API.DIRECT.GET.KV_state"), p("$JS.API.STREAM.MSG.GET.KV_state"), p("$KV.leases.leader.controller"), p("controller.status"), p("scheduler.bind"), p("events.default.e"), p("audit.admin.create")}},
		{identity.RoleUser, "bob",
			[]act{p("api.bob.create.pods"), p("node.n1.bob.exec"), p("stream.bob.n1.abc.in"), s("stream.bob.n1.abc.out"), s("_INBOX.bob.>")},
			[]act{p(stranger), p("api.admin.create.pods"), p("node.n1.admin.exec"), p("node.n1.bob.metrics"), s("watch.>"), s("_INBOX.>"), p("$SRV.PING"),
				p("$JS.API.DIRECT.GET.KV_state"), p("$JS.API.STREAM.MSG.GET.KV_state"), p("$KV.leases.leader.controller")}},
		{identity.RoleJoin, "join",
			[]act{p("join.n9")},
			[]act{p(stranger), p("api.join.get.pods"), s("watch.>"), p("$JS.API.INFO"), p("$KV.state.observed.n9.node")}},
	}
	for _, tt := range tests {
		for _, a := range tt.may {
			if err := violation(t, c.conn(t, tt.role, tt.user), a.do); err != nil {
				t.Errorf("%s may not %s: %v", tt.role, a.what, err)
			}
		}
		for _, a := range append(tt.mayNot, destroy...) {
			if err := violation(t, c.conn(t, tt.role, tt.user), a.do); !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s may %s (%v)", tt.role, a.what, err)
			}
		}
	}
}

func TestStrangersCannotConnect(t *testing.T) {
	c := start(t)
	other, err := identity.Load(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Credentials(identity.RoleAdmin, "admin")
	if err != nil {
		t.Fatal(err)
	}
	for name, creds := range map[string][]byte{"no credentials": nil, "another authority's": foreign} {
		conn, err := bus.Connect(context.Background(), bus.Options{User: "admin", Creds: creds, InProcess: c.server})
		if err == nil {
			conn.Close()
			t.Errorf("connected with %s", name)
		}
	}
}

func TestNodeSigner(t *testing.T) {
	c := start(t)
	signer, err := c.authority.NodeSigner()
	if err != nil {
		t.Fatal(err)
	}
	public, credentials, err := identity.NewNodeKey()
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign("n7.example.com", public)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := credentials(token)
	if err != nil {
		t.Fatal(err)
	}
	user, err := identity.UserOf(creds)
	if err != nil || user != bus.NodeUser("n7.example.com") {
		t.Fatalf("the credentials are for %q, %v", user, err)
	}
	conn, err := bus.Connect(context.Background(), bus.Options{User: user, Creds: creds, InProcess: c.server})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	own := bus.KVSubject(bus.BucketState, bus.ObservedNodeKey("n7.example.com"))
	if err := violation(t, conn, publish(own)); err != nil {
		t.Errorf("a joined node cannot write its own keys: %v", err)
	}
	if _, err := signer.Sign("n7", "not a key"); err == nil || !strings.Contains(err.Error(), "public key") {
		t.Errorf("signed a bad key: %v", err)
	}
}

// TestLoadKeepsTheAuthority: the same keys after a restart; a damaged file is an
// error and stays as it is.
func TestLoadKeepsTheAuthority(t *testing.T) {
	dir := t.TempDir()
	a, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := identity.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a.ServerConfig().SystemAccount != b.ServerConfig().SystemAccount {
		t.Error("another authority after a restart")
	}
	file := filepath.Join(dir, "authority.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Load(dir); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("loaded a damaged authority: %v", err)
	}
	if got, _ := os.ReadFile(file); string(got) != "{" {
		t.Errorf("a damaged authority was written over: %q", got)
	}
}
