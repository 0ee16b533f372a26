package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/notice"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/allot"
	"github.com/skerry/skerry/services/apiserver/audit"
	"github.com/skerry/skerry/services/apiserver/event"
	"github.com/skerry/skerry/services/apiserver/feed"
	"github.com/skerry/skerry/services/apiserver/history"
	"github.com/skerry/skerry/services/apiserver/interest"
	"github.com/skerry/skerry/services/apiserver/managed"
	"github.com/skerry/skerry/services/apiserver/rbac"
	"github.com/skerry/skerry/services/apiserver/registry"
	"github.com/skerry/skerry/services/apiserver/replica"
	"github.com/skerry/skerry/services/apiserver/review"
	"github.com/skerry/skerry/services/apiserver/token"
)

// concurrency is how many requests run at once. Most of a write's time is waiting for
// the disk, and writes that wait together are stored together.
const concurrency = 128

// Config is what an apiserver needs besides its connection.
type Config struct {
	// ID names this replica in logs.
	ID    string
	Table *schemas.Table
	// NodeSigner mints the credentials of hosts that join; nil refuses them.
	NodeSigner *identity.NodeSigner
	Log        *slog.Logger
	// ServiceCIDR is the IPv4 range of cluster IPs, and NodePorts that of node ports, FIRST-LAST;
	// "": Kubernetes' usual ones. All apiservers must be given the same.
	ServiceCIDR, NodePorts string
	// Gateway is where the cluster's hosts reach the HTTP API; invalid: nobody said.
	Gateway netip.AddrPort
	// Clock is the time; nil is time.Now.
	Clock func() time.Time
	// View is the copy of the state that the apiserver keeps up, for others in this
	// process to read as well, over the same connection; nil is one of its own.
	View *view.View
}

// Run serves until ctx ends and all that it started has stopped. It waits for the
// bus if that is away.
func Run(ctx context.Context, conn *bus.Conn, c Config) error {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("apiserver", c.ID)
	ranges, err := allot.Parse(c.ServiceCIDR, c.NodePorts)
	if err != nil {
		return fmt.Errorf("run apiserver: %w", err)
	}
	if err := provision(ctx, conn, c.Log); err != nil {
		return ended(ctx, err)
	}
	s := newServer(conn, c, ranges)
	unhandle := s.view.Handle(s.state.Hub.Handle)
	defer unhandle()
	defer s.view.Handle(s.interest.Handle)()
	defer c.Table.Listen(s.rekind)()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.view.Run(ctx) })
	g.Go(func() error { return s.events.Run(ctx) })
	g.Go(func() error { return s.audit.Run(ctx) })
	g.Go(func() error { return s.registry.History.Run(ctx) })
	g.Go(func() error { return reprovision(ctx, conn, c.Log) })
	g.Go(func() error { return s.serve(ctx, g) })
	return ended(ctx, g.Wait())
}

func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("run apiserver: %w", err)
}

// provision creates the streams, for as long as it takes until the bus lets it.
func provision(ctx context.Context, conn *bus.Conn, log *slog.Logger) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := store.Provision(ctx, conn)
		if err == nil {
			return nil
		}
		log.Warn("the streams are not there yet", "error", err)
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}

// reprovision makes the streams again when the bus comes back: a server that
// restarted has forgotten those that it kept in memory.
func reprovision(ctx context.Context, conn *bus.Conn, log *slog.Logger) error {
	back := make(chan struct{}, 1)
	defer conn.OnReconnect(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-back:
			if err := provision(ctx, conn, log); err != nil {
				return err
			}
		}
	}
}

// server answers requests.
type server struct {
	Config
	conn     *bus.Conn
	view     *view.View
	events   *event.Log
	audit    *audit.Log
	state    *replica.Replica
	happened *replica.Replica // events
	registry *registry.Registry
	access   access.Authorizer
	eventful *rate.Limiter
	interest *interest.Interest
}

func newServer(conn *bus.Conn, c Config, ranges allot.Ranges) *server {
	v := c.View
	if v == nil {
		v = view.New(conn, c.Table)
	}
	state := store.New(conn, bus.BucketState)
	stateHub, eventHub := feed.NewHub(c.Clock), feed.NewHub(c.Clock)
	events := event.NewLog(conn, c.Log, eventHub.Handle)
	s := &server{
		Config: c, conn: conn, view: v, eventful: rate.NewLimiter(eventRate, eventBurst), events: events, audit: audit.New(conn, c.Log),
		state:    &replica.Replica{Copy: v, Settle: v.Settle, Hub: stateHub},
		happened: &replica.Replica{Copy: events, Settle: events.Settle, Hub: eventHub},
	}
	s.interest = interest.New(func(node schemas.NodeName, ref schemas.Ref) {
		if err := notice.Send(conn, node, ref); err != nil {
			c.Log.Debug("notice not sent; the node will look for itself", "node", node, "object", ref.String(), "error", err)
		}
	})
	roles := rbac.Authorizer{State: v}
	nodes := access.Nodes{State: v, Placed: s.placed, May: roles}
	s.access = access.Chain{superusers(), access.Masters{}, access.Gateways{}, nodes, roles}
	tokens := token.New(v, c.Clock)
	keeper := history.New(conn)
	s.registry = &registry.Registry{
		Table:   c.Table,
		State:   registry.Backend{Replica: s.state, Writer: &registry.Desired{Table: c.Table, View: v, State: state, History: keeper}},
		Events:  registry.Backend{Replica: s.happened, Writer: event.Writer{Log: events, Now: c.Clock}},
		Ranges:  ranges,
		Keys:    state,
		Touched: v.Touched,
		PodsOn:  v.CountOn,
		Lists:   semaphore.NewWeighted(registry.ListedAtOnce),
		History: keeper,
		Fields:  managed.New(c.Table),
		Alike:   share.New(),
		Guard:   access.Guards{nodes, rbac.Guard{Authorizer: roles, May: s.access}, access.Signers{May: s.access}},
		Answer:  review.Reviewer{Access: s.access, Fresh: s.state.Fresh, RulesFor: roles.RulesFor, Token: tokens.Review}.Answer,
		Issue:   tokens.Issue,
		Send:    conn.Request,
		Now:     c.Clock,
	}
	return s
}

// superusers are who may do everything: the services, and who owns the cluster.
func superusers() access.Superusers {
	return access.Superusers{"admin": true, "system:apiserver": true, "system:controller": true, "system:scheduler": true}
}

func (s *server) placed(node schemas.NodeName) []*v1.Pod {
	var pods []*v1.Pod
	for _, o := range s.view.PodsOn(node) {
		if p, ok := o.(*v1.Pod); ok {
			pods = append(pods, p)
		}
	}
	return pods
}

// serve answers once the copies are complete.
func (s *server) serve(ctx context.Context, g *errgroup.Group) error {
	if err := s.view.WaitSynced(ctx); err != nil {
		return err
	}
	s.state.Hub.Start(s.view.Revision())
	s.interest.Start()
	select {
	case <-s.events.Synced():
	case <-ctx.Done():
		return ctx.Err()
	}
	s.happened.Hub.Start(s.events.Revision())
	if err := s.bootstrap(ctx); err != nil {
		return err
	}
	g.Go(func() error { return s.serveJoin(ctx) })
	g.Go(func() error { return s.warm(ctx) })
	g.Go(func() error { return s.bootstrapRoles(ctx) })
	g.Go(func() error { return s.keepService(ctx) })
	s.Log.Info("serving", "revision", s.view.Revision())
	return api.Serve(ctx, s.conn, "apiserver", version(), concurrency, s)
}

// warmAfter leaves the processors to what else starts with this service.
const warmAfter = 2 * time.Second

// warm prepares what the first write by a user needs.
func (s *server) warm(ctx context.Context) error {
	t := time.NewTimer(warmAfter)
	defer t.Stop()
	select {
	case <-t.C:
		s.registry.Fields.Warm()
		return nil
	case <-ctx.Done():
		return nil
	}
}

// version is that of the binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "0.0.0"
}
