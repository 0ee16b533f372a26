// Package space keeps the namespaces of pods that need no container to hold them: a
// network with an address, IPC, and the memory that processes share by name. They outlive
// the pod's containers, which join them by path.
//
// Reads: its directory, and the links of the host's bridge. Writes: a directory for each
// sandbox, with a record of it and what pins its namespaces; links at the bridge.
// What always holds: an address belongs to one sandbox until nothing of that one is left that
// could use it; a record says that a sandbox has ended before any of it is taken apart, and that
// it runs after all of it is there, so that a crash in between is seen as what it is; and what
// the host's reboot took counts as ended.
package space

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Errors that callers tell apart.
var (
	// ErrFull: every address is somebody's.
	ErrFull = errors.New("no address is left")
	// ErrNoBridge: the network's bridge is not there.
	ErrNoBridge = errors.New("no such bridge")
)

// Record is a sandbox as it is kept.
type Record struct {
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels"`
	Network string            `json:"network"`
	// State is created, running or exited.
	State sandbox.State `json:"state"`
	// Address is the sandbox's until all of it is gone.
	Address    netip.Addr `json:"address,omitzero"`
	StartedAt  time.Time  `json:"startedAt,omitzero"`
	FinishedAt time.Time  `json:"finishedAt,omitzero"`

	making bool // it has an address, and nothing else yet
}

// Network is what sandboxes are connected to.
type Network struct {
	Name string
	// Host is the network namespace of the bridge; nil is this process's own.
	Host    *os.File
	Bridge  string
	Gateway netip.Addr
	Bits    int // of the subnet
	// First and Last bound the addresses to give out: nobody else may.
	First, Last netip.Addr
}

// pins are namespaces that are held by files in a directory.
type pins interface {
	pin(dir string) error
	unpin(dir string) error
	alive(dir string) bool
}

// links connect pinned namespaces to a bridge.
type links interface {
	plug(dir, link string, n Network, a netip.Addr) error
	unplug(link string, n Network) error
	plugged(n Network) ([]string, error)
}

// Store is the sandboxes of one host. Safe for concurrent use, of which calls for one
// sandbox make none.
type Store struct {
	dir   string
	log   *slog.Logger
	pins  pins
	links links

	mu    sync.Mutex
	known map[string]*Record // nil until read
	last  netip.Addr         // given out
}

// New returns the store of a directory. It does no I/O.
func New(dir string, log *slog.Logger) *Store {
	return &Store{dir: dir, log: log, pins: kernel{}, links: kernel{}}
}

// Create makes a sandbox's namespaces and gives it an address; sandbox.ErrExists the second
// time, ErrFull if there is none for it.
func (s *Store) Create(name string, labels map[string]string, n Network) error {
	err := s.reserve(name, labels, n)
	if err != nil {
		return fmt.Errorf("create sandbox %s: %w", name, err)
	}
	dir := s.path(name)
	// What a crash left of one that was never recorded is in the way.
	if err = discard(s.pins, dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = s.pins.pin(dir)
	}
	if err == nil {
		err = s.change(name, func(r *Record) { r.making = false })
	}
	if err == nil {
		return nil
	}
	if left := discard(s.pins, dir); left != nil {
		s.log.Warn("a sandbox that could not be made is left in part", "sandbox", name, "error", left)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
	return fmt.Errorf("create sandbox %s: %w", name, err)
}

func (s *Store) reserve(name string, labels map[string]string, n Network) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil {
		return err
	}
	if s.known[name] != nil {
		return sandbox.ErrExists
	}
	used := map[netip.Addr]bool{n.Gateway: true}
	for _, r := range s.known {
		used[r.Address] = true
	}
	a, ok := next(n.First, n.Last, s.last, used)
	if !ok {
		return ErrFull
	}
	s.last = a
	s.known[name] = &Record{Name: name, Labels: labels, Network: n.Name, State: sandbox.Created, Address: a, making: true}
	return nil
}

// next is the first address after last, and round again, that nobody has: what was given
// back is given out again as late as possible.
func next(first, end, last netip.Addr, used map[netip.Addr]bool) (netip.Addr, bool) {
	a := last
	if !a.IsValid() || a.Less(first) || end.Less(a) {
		a = end
	}
	for begun := a; ; {
		if a = a.Next(); !a.IsValid() || end.Less(a) {
			a = first
		}
		if !used[a] {
			return a, true
		}
		if a == begun || !a.IsValid() {
			return netip.Addr{}, false
		}
	}
}

// Start connects a sandbox; once it is running it does nothing.
func (s *Store) Start(name string, n Network) error {
	r, ok := s.Get(name)
	switch {
	case !ok:
		return fmt.Errorf("start sandbox %s: %w", name, sandbox.ErrNotFound)
	case r.State == sandbox.Running:
		return nil
	case r.State == sandbox.Exited:
		return fmt.Errorf("start sandbox %s: its namespaces are gone", name)
	}
	if err := s.links.plug(s.path(name), link(name), n, r.Address); err != nil {
		return fmt.Errorf("start sandbox %s: %w", name, err)
	}
	return s.change(name, func(r *Record) { r.State, r.StartedAt = sandbox.Running, time.Now() })
}

// Stop takes a sandbox apart in which nothing runs any more, and keeps its record.
func (s *Store) Stop(name string, n Network) error {
	if _, ok := s.Get(name); !ok {
		return nil
	}
	if err := s.end(name, n); err != nil {
		return err
	}
	return s.change(name, func(r *Record) { r.Address = netip.Addr{} })
}

// end takes a recorded sandbox's connection and namespaces away.
func (s *Store) end(name string, n Network) error {
	err := s.change(name, func(r *Record) {
		if r.State != sandbox.Exited {
			r.State, r.FinishedAt = sandbox.Exited, time.Now()
		}
	})
	if err == nil {
		err = s.links.unplug(link(name), n)
	}
	if err == nil {
		err = s.pins.unpin(s.path(name))
	}
	if err != nil {
		return fmt.Errorf("end sandbox %s: %w", name, err)
	}
	return nil
}

// Remove removes all of a sandbox in which nothing runs any more, also one that was made in part.
func (s *Store) Remove(name string, n Network) error {
	if _, ok := s.Get(name); ok {
		if err := s.end(name, n); err != nil {
			return err
		}
	} else if err := s.links.unplug(link(name), n); err != nil {
		// The record was lost, or is in another agent's directory. The link, which would keep the
		// bridge, follows from the name alone.
		return fmt.Errorf("remove sandbox %s: %w", name, err)
	}
	if err := discard(s.pins, s.path(name)); err != nil {
		return fmt.Errorf("remove sandbox %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
	return nil
}

// Get finds a sandbox; without a store there is none.
func (s *Store) Get(name string) (Record, bool) {
	if s == nil {
		return Record{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil || s.known[name] == nil || s.known[name].making {
		return Record{}, false
	}
	return s.seen(*s.known[name]), true
}

// All lists the sandboxes; without a store there are none.
func (s *Store) All() ([]Record, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(); err != nil {
		return nil, err
	}
	var out []Record
	for _, r := range s.known {
		if !r.making {
			out = append(out, s.seen(*r))
		}
	}
	return out, nil
}

// seen is r as it is now: a reboot takes its namespaces.
func (s *Store) seen(r Record) Record {
	if r.State != sandbox.Exited && !s.pins.alive(s.path(r.Name)) {
		r.State = sandbox.Exited
	}
	return r
}

// Sweep finishes what a crash interrupted, and removes links that are no sandbox's.
func (s *Store) Sweep(n Network) error {
	// The links first: one that is made from now on has a record that is not looked at yet.
	there, err := s.links.plugged(n)
	errs := []error{err}
	all, err := s.All()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	wanted := map[string]bool{}
	for _, r := range all {
		if r.State == sandbox.Exited && r.Address.IsValid() && r.Network == n.Name {
			errs = append(errs, s.Stop(r.Name, n))
			continue
		}
		wanted[link(r.Name)] = true
	}
	for _, l := range there {
		if !wanted[l] {
			s.log.Info("remove a link that no sandbox has", "link", l)
			errs = append(errs, s.links.unplug(l, n))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, folder(name)) }

// Paths are where a sandbox's namespaces and its shared memory are.
func (s *Store) Paths(name string) (network, ipc, memory string) {
	dir := s.path(name)
	return filepath.Join(dir, networkPin), filepath.Join(dir, ipcPin), filepath.Join(dir, memoryDir)
}
