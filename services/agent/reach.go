//go:build linux

package agent

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/copy"
	"github.com/skerry/skerry/services/agent/exec"
	"github.com/skerry/skerry/services/agent/forward"
	"github.com/skerry/skerry/services/agent/gate"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/logs"
	"github.com/skerry/skerry/services/agent/lookup"
	sampler "github.com/skerry/skerry/services/agent/metric"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// maxStreams bounds how many sessions of one sort are served at once.
const maxStreams = 128

// serveUsers serves what users ask of this node's pods until ctx ends.
func (a *agent) serveUsers(ctx context.Context, conn *bus.Conn) error {
	find := lookup.Finder{Pods: a, Runtime: a.driver}
	g, ctx := errgroup.WithContext(ctx)
	door := gate.Gate{API: a.client}
	serve := func(v remote.Verb, h stream.Handler) {
		h = door.Guard(v, h)
		g.Go(func() error { return remote.Serve(ctx, conn, a.Node, v, maxStreams, h) })
	}
	serve(remote.VerbLogs, (&logs.Handler{Find: find, Runtime: a.driver, Readers: &a.readers}).Serve)
	serve(remote.VerbExec, (&exec.Handler{Find: find, Runtime: a.driver}).Serve)
	// A simulated runtime has no files, and nobody to talk to.
	if r, ok := a.driver.(exec.Attachable); ok {
		serve(remote.VerbAttach, (&exec.Attacher{Find: find, Runtime: r}).Serve)
	}
	if r, ok := a.driver.(forward.Runtime); ok {
		serve(remote.VerbForward, (&forward.Handler{Find: find, Runtime: r}).Serve)
	}
	if r, ok := a.driver.(copy.Runtime); ok {
		serve(remote.VerbCopy, (&copy.Handler{Find: find, Runtime: r}).Serve)
	}
	g.Go(func() error { return metric.Serve(ctx, conn, a.Node, sampler.New(a.Node, a.cgroups, time.Now).Sample) })
	return g.Wait()
}

// keepLogs rotates and removes logs until ctx ends.
func (a *agent) keepLogs(ctx context.Context) error {
	monitors, ok := a.driver.(logfile.Runtime)
	if !ok { // simulated: there are no files
		return nil
	}
	k := &logfile.Keeper{
		Dir: a.logDir(), Size: logfile.DefaultSize, Files: logfile.DefaultFiles,
		Hold: logfile.DefaultHold, Readers: &a.readers,
		Runtime: monitors, Wanted: a.sandboxes, Log: a.Log,
	}
	return k.Run(ctx)
}

// sandboxes are the names of those that are ordered or there.
func (a *agent) sandboxes(ctx context.Context) (map[string]bool, error) {
	seen, err := a.driver.Pods(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, p := range seen {
		names[sandbox.Spec{Key: p.Key, UID: p.UID}.Name()] = true
	}
	for _, p := range a.orders.all() {
		names[sandbox.Spec{Key: pod.KeyOf(p), UID: p.UID}.Name()] = true
	}
	return names, nil
}
