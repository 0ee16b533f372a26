package pod

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/device"
	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/hook"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/message"
	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/resolver"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
	"github.com/skerry/skerry/services/reconcile"
)

// Config is what a Reconciler works with.
type Config struct {
	Runtime  Runtime
	Orders   Orders
	Reporter Reporter
	Keeper   Keeper
	Recorder Recorder
	Images   image.Store
	Source   env.Source
	Actions  Actions
	Volumes  Volumes
	// Messages keeps termination messages, nil none; LogTail stands in for them, nil not.
	Messages *message.Box
	LogTail  LogTail

	Node schemas.NodeName
	// HostIPs and Allocatable are the node's, Network the name of the network that
	// pods attach to and whether it is there; all may change while the agent runs.
	HostIPs     func() []string
	Allocatable func() v1.ResourceList
	Network     func() (name string, ready bool)
	// Limits is what the host has and how far pods may go.
	Limits func() Host
	// Cgroups are changed with pods' resources; nil if there are none.
	Cgroups Cgroups
	// Admit tells whether the node takes a pod that is new here beside others; nil: it takes all.
	Admit func(ctx context.Context, p *v1.Pod, others fit.Others) Verdict

	Classes  Classes
	Settings Settings
	Resolver *resolver.Files // nil: containers have the runtime's
	Devices  *device.Ledger  // nil: the node declares none
	Alike    *share.Pool     // what statuses have in common; nil: each has its own

	Workers int // pods that are started at once; 0 means 4
	Now     func() time.Time
	Log     *slog.Logger
}

// Reconciler keeps the pods of one node as ordered.
type Reconciler struct {
	Config
	loop   *reconcile.Loop[sandbox.Key]
	puller *image.Puller
	prober *probe.Prober
	starts *hook.Starts

	background sync.WaitGroup // stops under way
	users      users
	told       sync.Map // resolver.Warning: of the node, told once
	sheds      sheds

	admission sync.Mutex // one pod at a time is asked about

	mu     sync.Mutex
	pods   map[sandbox.Key]*entry
	looked bool // at everything, once
	// removals are those that are asked for just now (nil), and why others have failed.
	removals map[types.UID]error
	// granted are the pods that have something of the node, as they were granted; sum is what
	// they request together: to add that up anew for each pod that comes would cost a full node
	// more than all else.
	granted map[types.UID]grant
	sum     v1.ResourceList
}

// maxRounds bounds how often one turn plans again after acting: removing, making,
// reporting and collecting are four.
const maxRounds = 8

// New returns a reconciler; Run runs it.
func New(c Config) *Reconciler {
	if c.Workers == 0 {
		c.Workers = 4
	}
	r := &Reconciler{Config: c, pods: map[sandbox.Key]*entry{}, removals: map[types.UID]error{}}
	r.puller = image.NewPuller(c.Images, c.Now)
	r.loop = reconcile.New("pod", c.Workers, c.Log, r.Reconcile)
	r.prober = probe.New(c.Actions, c.Recorder, r.loop.Add)
	r.starts = hook.NewStarts(c.Actions)
	return r
}

// Run reconciles until ctx ends and waits for all that it started.
func (r *Reconciler) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.loop.Run(ctx) })
	g.Go(func() error { return r.prober.Run(ctx) })
	err := g.Wait()
	r.starts.Wait()
	r.background.Wait()
	r.puller.Wait()
	return err
}

// Add has k looked at now.
func (r *Reconciler) Add(k sandbox.Key) { r.loop.Add(k) }

// Restore tells what was last reported of a pod, by the bus or the disk. Call it
// before Run. posted is true if the bus has it.
func (r *Reconciler) Restore(p *v1.Pod, posted bool) {
	e := r.entry(KeyOf(p), p.UID)
	e.mem.Last, e.said = *p.Status.DeepCopy(), nil
	e.reported = posted
}

// Reconcile brings one pod closer to its order.
func (r *Reconciler) Reconcile(ctx context.Context, k sandbox.Key) (wake time.Duration, err error) {
	shed := r.sheds.begin(k)
	defer func() {
		if shed && err == nil {
			r.sheds.end(k)
		}
	}()
	for range maxRounds {
		in, e, err := r.load(ctx, k)
		in.Shed = shed
		if err != nil || in.Wait > 0 {
			return in.Wait, err
		}
		plan := Make(in)
		if plan.Evict != nil {
			r.doom(e, in.Order, plan.Evict)
			continue
		}
		acted, err := r.apply(ctx, k, e, in, plan)
		if err != nil {
			return 0, err
		}
		if acted {
			continue // report what came of it
		}
		if at := r.resize(ctx, k, e, in); !at.IsZero() && (plan.Wake.IsZero() || at.Before(plan.Wake)) {
			plan.Wake = at
		}
		r.report(e, in, plan)
		if err := r.freeDevices(e, in); err != nil {
			return 0, err
		}
		return r.wakeAfter(plan), nil
	}
	return time.Second, nil
}

// freeDevices takes a pod's devices back once it has ended for good: the scheduler gives
// them to another one from then on.
func (r *Reconciler) freeDevices(e *entry, in Input) error {
	if r.Devices == nil || !terminal(e.mem.Last.Phase) {
		return nil
	}
	for _, s := range in.Observed {
		if slices.ContainsFunc(s.Containers, func(c sandbox.Container) bool { return c.State == sandbox.Running }) {
			return nil
		}
	}
	return r.Devices.Free(e.uid)
}

func (r *Reconciler) wakeAfter(p Plan) time.Duration {
	if p.Wake.IsZero() {
		return 0
	}
	return max(p.Wake.Sub(r.Now()), 10*time.Millisecond)
}

// load gathers what the plan follows from.
func (r *Reconciler) load(ctx context.Context, k sandbox.Key) (Input, *entry, error) {
	ordered, synced := r.Orders.Order(k)
	var uid types.UID
	var order *v1.Pod
	if ordered != nil {
		uid, order = ordered.UID(), ordered.Pod()
	}
	e := r.entry(k, uid)
	e.order = ordered
	in := Input{Order: order, Synced: synced}
	var err error
	if in.Observed, in.Blind, err = r.look(ctx, k, e); err != nil {
		return in, e, fmt.Errorf("look at pod %s: %w", k, err)
	}
	in.Now = r.Now() // after the look: what was seen to have ended did so before
	if !in.Blind {
		prune(e.mem.Unstarted, in.Observed)
		prune(e.mem.Killed, in.Observed)
		prune(e.seldom().messages, in.Observed)
	}
	r.takeEviction(e, order)
	r.retried(e)
	if in.Wait = r.admit(ctx, e, in); in.Wait > 0 {
		return in, e, nil
	}
	order = r.size(e, order)
	in.Order, in.Memory = order, e.mem
	if order != nil {
		in.Rejected = Reject(order, r.Settings)
	}
	in.Health = r.watchHealth(k, in)
	if err := r.messages(ctx, e, in); err != nil {
		return in, e, fmt.Errorf("read last words of pod %s: %w", k, err)
	}
	_, in.Network = r.Network()
	in.Images = r.images(order, in)
	return in, e, nil
}

// prune forgets containers that are gone.
func prune[V any](known map[string]V, observed []sandbox.Pod) {
	maps.DeleteFunc(known, func(id string, _ V) bool {
		return !slices.ContainsFunc(observed, func(p sandbox.Pod) bool {
			return slices.ContainsFunc(p.Containers, func(c sandbox.Container) bool { return c.ID == id })
		})
	})
}

// images tells how far the image of each container's next start is.
func (r *Reconciler) images(order *v1.Pod, in Input) map[string]image.State {
	if order == nil {
		return nil
	}
	out := map[string]image.State{}
	for _, c := range member.All(order) {
		out[c.Name] = r.puller.State(image.Use{Pod: order.UID, Container: c.Name, Attempt: in.nextAttempt(c.Name)})
	}
	return out
}

// nextAttempt is the number of a container's next start.
func (in Input) nextAttempt(name string) int {
	mine, _ := in.split()
	p := planner{Input: in}
	_, attempt := p.past(name, status.Newest(mine, in.Memory.Last, name))
	return attempt
}

// report computes the status and passes it on if it changed.
func (r *Reconciler) report(e *entry, in Input, plan Plan) {
	if in.Order == nil || in.Order.UID != e.uid {
		return
	}
	mine, others := in.split()
	if len(others) > 0 && mine == nil {
		return
	}
	few := e.seldom()
	st := status.Compute(status.Input{
		Pod: in.Order, Sandbox: mine, Last: e.mem.Last, Waiting: plan.Waiting,
		Unstarted: e.mem.Unstarted, Health: in.healths(mine), Messages: few.messages, RestartAll: plan.RestartAll, Doomed: doomed(e.mem.Evicted), HostIPs: r.HostIPs(), Now: in.Now,
		Actual: few.size.actual, Whole: few.size.whole, Resizing: few.size.conditions(),
	})
	changed, err := e.news(st)
	if err != nil {
		r.Log.Error("report pod", "pod", KeyOf(in.Order), "error", err)
		return
	}
	if terminal(st.Phase) {
		r.release(in.Order.UID) // before anybody can know
	}
	if changed {
		if r.Alike != nil {
			r.Alike.Status(&st)
		}
		for _, t := range transitions(in.Order, e.mem.Last, st) {
			r.Recorder.EventAt(in.Order, member.PathOf(in.Order, t.container), t.eventType, t.reason, t.message)
		}
		e.mem.Last = st
	}
	if changed || !e.reported {
		if err := r.Reporter.Post(observed(in.Order, st), in.Order.DeletionTimestamp != nil); err != nil {
			r.Log.Error("report pod", "pod", KeyOf(in.Order), "error", err)
		}
		e.reported = true
	}
	r.keep(e, changed)
	if changed && terminal(st.Phase) {
		r.loop.Add(KeyOf(in.Order)) // it holds things that it needs no more
	}
}

// news tells whether st says anything else than what was last reported. What they are in
// protobuf is compared: it says as much as their text, times in seconds too, and takes a
// tenth of the time to make.
func (e *entry) news(st v1.PodStatus) (bool, error) {
	digest := func(st *v1.PodStatus) ([sha256.Size]byte, error) {
		data, err := st.Marshal()
		return sha256.Sum256(data), err
	}
	if e.said == nil {
		was, err := digest(&e.mem.Last)
		if err != nil {
			return false, err
		}
		e.said = &was
	}
	now, err := digest(&st)
	if err != nil || now == *e.said {
		return false, err
	}
	e.said = &now
	return true, nil
}

func (r *Reconciler) keep(e *entry, changed bool) {
	put := r.Keeper.PutStatus
	switch {
	case e.kept != e.order:
		put = r.Keeper.PutOrder
	case !changed:
		return
	}
	p := e.order.Pod()
	p.Status = e.mem.Last
	if err := put(p); err != nil {
		r.Log.Error("keep work order", "pod", KeyOf(p), "error", err)
		return
	}
	e.kept = e.order
}

// observed is what is stored under the node's own key: who, and the status.
func observed(p *v1.Pod, st v1.PodStatus) *v1.Pod {
	return &v1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, UID: p.UID},
		Status:     st,
	}
}
