//go:build linux

package csi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
)

const (
	// askLimit bounds each call at a registration socket; a socket may have nobody behind it.
	askLimit = 10 * time.Second
	// driverType is what a storage driver calls itself; other plugins register in the same place.
	driverType = "CSIPlugin"
	// quietFailures come before a word: a driver that begins is asked before it answers, and one of
	// another kind is not told of again and again.
	quietFailures = 3
	// longestName is that of a driver.
	longestName = 63
)

// stampOf identifies a socket; ok is false for anything else.
func stampOf(path string) (s stamp, ok bool) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return s, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return s, false
	}
	return stamp{st.Ino, time.Unix(st.Ctim.Unix())}, true
}

// plugin is who answers at a registration socket.
type plugin struct {
	kind, name, endpoint string
	versions             []string
}

// register asks the driver at a socket who it is, asks the driver itself, and tells it how that went.
func (r *Registry) register(ctx context.Context, path string, s *socket) {
	d, err := r.admit(ctx, path, s)
	r.mu.Lock()
	current := r.sockets[path] == s // nothing took its place meanwhile
	s.busy = false
	if err != nil && current {
		s.failures++
		s.next = time.Now().Add(min(firstRetry<<min(s.failures-1, 16), lastRetry))
	}
	s.done = err == nil
	failures := s.failures
	r.mu.Unlock()
	switch {
	case err == nil:
		r.log.Info("a storage driver has registered", "driver", d.Name, "endpoint", d.endpoint)
		r.changed(d.Name)
	case ctx.Err() == nil:
		level := slog.LevelDebug
		if failures == quietFailures {
			level = slog.LevelWarn
		}
		r.log.Log(ctx, level, "register storage driver", "socket", path, "error", err)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// admit does the steps of a registration; a driver that is not taken is told why.
func (r *Registry) admit(ctx context.Context, path string, s *socket) (Driver, error) {
	p, err := ask(ctx, path)
	if err != nil {
		return Driver{}, fmt.Errorf("failed to get plugin info using RPC GetInfo at socket %s, err: %w", path, err)
	}
	d, err := p.driver(path)
	if err == nil {
		err = r.add(d, s)
	}
	if err != nil {
		return d, errors.Join(err, notify(ctx, path, "RegisterPlugin error -- plugin validation failed with err: "+err.Error()))
	}
	if err := info(ctx, d.endpoint); err != nil {
		r.withdraw(d)
		return d, errors.Join(err, notify(ctx, path, "RegisterPlugin error -- plugin registration failed with err: "+err.Error()))
	}
	if err := notify(ctx, path, ""); err != nil {
		r.withdraw(d)
		return d, fmt.Errorf("failed to send registration status at socket %s, err: %w", path, err)
	}
	return d, nil
}

// add takes a driver in. One of the same name that is there already stays, unless it is older.
func (r *Registry) add(d Driver, s *socket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sockets[d.socket] != s {
		return fmt.Errorf("the socket %s has gone", d.socket)
	}
	if was, ok := r.drivers[d.Name]; ok && !was.version.LessThan(d.version) {
		return fmt.Errorf("another driver with the same name is already registered with a higher supported version: %q", was.version)
	}
	r.drivers[d.Name] = d
	return nil
}

func (r *Registry) withdraw(d Driver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drivers[d.Name] == d {
		delete(r.drivers, d.Name)
	}
}

// driver is the storage driver that p is.
func (p *plugin) driver(path string) (Driver, error) {
	if p.kind != driverType {
		return Driver{}, fmt.Errorf("no handler registered for plugin type: %s at socket %s", p.kind, path)
	}
	if len(p.name) > longestName || len(validation.IsDNS1123Subdomain(strings.ToLower(p.name))) > 0 {
		return Driver{}, fmt.Errorf("%q is no name of a driver", decode(p.name))
	}
	highest, err := version.HighestSupportedVersion(p.versions)
	if err != nil {
		return Driver{}, fmt.Errorf("CSI driver %q: none of the versions specified %q are supported. err=%w", p.name, p.versions, err)
	}
	d := Driver{Name: p.name, endpoint: p.endpoint, version: highest, socket: path}
	if d.endpoint == "" {
		d.endpoint = path
	}
	return d, nil
}

// mostVersions bounds what a driver says of itself.
const mostVersions = 32

// ask is Registration.GetInfo.
func ask(ctx context.Context, path string) (*plugin, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	answer, err := call(ctx, path, "pluginregistration.Registration/GetInfo", nil)
	if err != nil {
		return nil, err
	}
	p := &plugin{}
	err = fields(answer, func(n protowire.Number, value []byte, _ uint64) {
		switch {
		case n == 1:
			p.kind = string(value)
		case n == 2:
			p.name = string(value)
		case n == 3:
			p.endpoint = string(value)
		case n == 4 && len(p.versions) < mostVersions:
			p.versions = append(p.versions, string(value))
		}
	})
	return p, err
}

// notify is Registration.NotifyRegistrationStatus; without a reason, all is well.
func notify(ctx context.Context, path, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	m := text(nil, 2, reason)
	if reason == "" {
		m = number(nil, 1, 1)
	}
	_, err := call(ctx, path, "pluginregistration.Registration/NotifyRegistrationStatus", m)
	return err
}
