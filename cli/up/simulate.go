//go:build linux

package up

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/agent/fake"
	"github.com/skerry/skerry/services/agent/fleet"
)

// Simulate is `skerry simulate`: nodes without containers, on a real cluster.
type Simulate struct {
	Nats     string `help:"URL of the bus." default:"nats://127.0.0.1:4222" placeholder:"URL"`
	DataDir  string `help:"Folder with the cluster's keys, from which each node gets credentials of its own." placeholder:"DIR"`
	LogLevel string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"error" placeholder:"LEVEL"`
	Profile  string `help:"Serve Go's profiles over HTTP at this address." placeholder:"HOST:PORT"`

	Nodes  int    `help:"How many nodes." required:"" placeholder:"N"`
	First  int    `help:"Number of the first one: several processes can share a fleet." default:"0" placeholder:"N"`
	Prefix string `help:"What nodes are named: PREFIX-0, PREFIX-1, …" default:"sim" placeholder:"PREFIX"`
	Zones  int    `help:"Spread the nodes over this many zones, by label." default:"0" placeholder:"N"`

	CPU     string `help:"Processors of a node." default:"16" placeholder:"QUANTITY"`
	Memory  string `help:"Memory of a node." default:"64Gi" placeholder:"QUANTITY"`
	MaxPods int64  `help:"How many pods a node takes at most." default:"110" placeholder:"N"`

	Seed      uint64        `help:"What happens by chance follows from this number." default:"1" placeholder:"N"`
	StartTime time.Duration `help:"How long a container takes to start, on average." default:"0s" placeholder:"DURATION"`
	FailRate  float64       `help:"Share of containers' starts that fail, from 0 to 1." default:"0" placeholder:"SHARE"`
	Lifetime  time.Duration `help:"Containers end with exit code 1 after this time, on average; 0: they do not." default:"0s" placeholder:"DURATION"`
	Churn     time.Duration `help:"Each node's connection is cut after this time, on average; 0: never." default:"0s" placeholder:"DURATION"`
	Away      time.Duration `help:"How long a node that was cut off stays away." default:"30s" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Simulate) Run(ctx context.Context, s *session.Session) error {
	fc, err := c.fleet(s)
	if err != nil {
		return err
	}
	useRoom(s.Getenv)
	f := fleet.New(fc)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return profile(ctx, c.Profile) })
	g.Go(func() error { return f.Run(ctx) })
	select {
	case <-f.Connected():
		s.Printf("%d nodes are connected: %s-%d to %s-%d.\n", c.Nodes, c.Prefix, c.First, c.Prefix, c.First+c.Nodes-1)
	case <-ctx.Done():
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (c *Simulate) fleet(s *session.Session) (fleet.Config, error) {
	if c.Nodes < 1 || c.First < 0 || c.FailRate < 0 || c.FailRate > 1 {
		return fleet.Config{}, failure.Usage("--nodes must be at least 1, --first at least 0, and --fail-rate from 0 to 1")
	}
	var capacity v1.ResourceList
	for name, text := range map[v1.ResourceName]string{
		v1.ResourceCPU: c.CPU, v1.ResourceMemory: c.Memory, v1.ResourceEphemeralStorage: "100Gi", v1.ResourcePods: strconv.FormatInt(c.MaxPods, 10),
	} {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return fleet.Config{}, failure.Usage("%s %q: %v", name, text, err)
		}
		if capacity == nil {
			capacity = v1.ResourceList{}
		}
		capacity[name] = q
	}
	authority, err := identity.Load(resolve(s, c.DataDir).authority())
	if err != nil {
		return fleet.Config{}, err
	}
	log := logger(s.Stderr, c.LogLevel)
	return fleet.Config{
		Prefix: c.Prefix, First: c.First, Nodes: c.Nodes, Capacity: capacity, MaxPods: c.MaxPods, Labels: c.labels(),
		Runtime: fake.Config{Seed: c.Seed, StartTime: c.StartTime, FailRate: c.FailRate, Lifetime: c.Lifetime},
		Leave:   c.Churn, Away: c.Away, Table: kinds.Table(), Version: s.Version, Log: log,
		Connect: func(ctx context.Context, node schemas.NodeName, d *fleet.Dialer) (*bus.Conn, error) {
			creds, err := authority.Credentials(identity.RoleNode, bus.NodeUser(node))
			if err != nil {
				return nil, err
			}
			return bus.ConnectRetry(ctx, bus.Options{URL: c.Nats, User: bus.NodeUser(node), Creds: creds, Name: "simulated " + string(node), Dialer: d, Log: log})
		},
	}, nil
}

func (c *Simulate) labels() func(int) map[string]string {
	if c.Zones <= 0 {
		return nil
	}
	return func(i int) map[string]string {
		return map[string]string{v1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%c.Zones)}
	}
}
