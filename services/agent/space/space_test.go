package space

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// world is a kernel in memory. It outlives the process that uses it.
type world struct {
	pinned map[string]bool       // by directory
	links  map[string]netip.Addr // by name
	// left is how many calls there are until the process dies; negative: it does not.
	left   int
	bridge bool
	// meanwhile is done while links are being listed; nil: nothing.
	meanwhile func()
}

var errKilled = errors.New("killed")

func (w *world) step() error {
	if w.left == 0 {
		return errKilled
	}
	w.left--
	return nil
}

func (w *world) pin(dir string) error {
	if err := w.step(); err != nil {
		return err
	}
	w.pinned[dir] = true
	return w.step()
}

func (w *world) unpin(dir string) error {
	if err := w.step(); err != nil {
		return err
	}
	delete(w.pinned, dir)
	return w.step()
}

func (w *world) alive(dir string) bool { return w.pinned[dir] }

func (w *world) plug(dir, link string, _ Network, a netip.Addr) error {
	if err := w.step(); err != nil {
		return err
	}
	if !w.bridge {
		return ErrNoBridge
	}
	if !w.pinned[dir] {
		return errors.New("no such namespace")
	}
	w.links[link] = a
	return w.step()
}

func (w *world) unplug(link string, _ Network) error {
	if err := w.step(); err != nil {
		return err
	}
	delete(w.links, link)
	return w.step()
}

func (w *world) plugged(Network) ([]string, error) {
	if w.meanwhile != nil {
		w.meanwhile()
	}
	return slices.Collect(maps.Keys(w.links)), w.step()
}

func newWorld() *world {
	return &world{pinned: map[string]bool{}, links: map[string]netip.Addr{}, left: -1, bridge: true}
}

// open is a store as a process that has just begun has it.
func (w *world) open(dir string) *Store {
	return &Store{dir: dir, log: slog.New(slog.DiscardHandler), pins: w, links: w}
}

var three = Network{Name: "n", Bridge: "b", Gateway: netip.MustParseAddr("10.0.0.1"), Bits: 24,
	First: netip.MustParseAddr("10.0.0.4"), Last: netip.MustParseAddr("10.0.0.6")}

// sound checks what must hold between any two calls.
func sound(t *testing.T, w *world, s *Store) {
	t.Helper()
	all, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	owner := map[netip.Addr]string{}
	for _, r := range all {
		pinned, at := w.pinned[s.path(r.Name)], w.links[link(r.Name)]
		if r.State == sandbox.Running && (!pinned || at != r.Address) {
			t.Errorf("%s runs at %s; pinned %v, plugged at %v", r.Name, r.Address, pinned, at)
		}
		if at.IsValid() && at != r.Address {
			t.Errorf("%s has the address %s, its link %s", r.Name, r.Address, at)
		}
		if other, twice := owner[r.Address]; twice && r.Address.IsValid() {
			t.Errorf("%s is %s's and %s's", r.Address, other, r.Name)
		}
		owner[r.Address] = r.Name
	}
}

// TestKilledBetweenAnySteps: whenever the agent dies, the next one sees what is there as what
// it is, gives no address twice, and leaves nothing.
func TestKilledBetweenAnySteps(t *testing.T) {
	script := []func(*Store) error{
		func(s *Store) error { return s.Create("a", nil, three) },
		func(s *Store) error { return s.Start("a", three) },
		func(s *Store) error { return s.Create("b", nil, three) },
		func(s *Store) error { return s.Stop("a", three) },
		func(s *Store) error { return s.Start("b", three) },
		func(s *Store) error { return s.Create("c", nil, three) },
		func(s *Store) error { return s.Remove("b", three) },
		func(s *Store) error { return s.Start("c", three) },
		func(s *Store) error { return s.Remove("c", three) },
		func(s *Store) error { return s.Remove("a", three) },
	}
	finished := false
	for kill := 0; !finished; kill++ {
		t.Run(fmt.Sprint("step", kill), func(t *testing.T) {
			w, dir := newWorld(), t.TempDir()
			s := w.open(dir)
			w.left = kill
			finished = true
			for _, f := range script {
				if err := f(s); err != nil {
					if !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
					finished = false
					break
				}
			}
			w.left = -1
			s = w.open(dir)
			if err := s.Sweep(three); err != nil {
				t.Fatal(err)
			}
			sound(t, w, s)
			all, _ := s.All()
			for _, r := range all {
				if r.State == sandbox.Exited && (r.Address.IsValid() || w.pinned[s.path(r.Name)] || w.links[link(r.Name)].IsValid()) {
					t.Errorf("%s has ended and keeps something: %+v", r.Name, r)
				}
			}
			for _, name := range []string{"d", "e"} {
				if err := errors.Join(s.Create(name, nil, three), s.Start(name, three)); err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, sandbox.ErrNotFound) {
					t.Fatal(err)
				}
				sound(t, w, s)
			}
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				if err := s.Remove(name, three); err != nil {
					t.Fatal(err)
				}
			}
			left, err := os.ReadDir(dir)
			if len(left)+len(w.pinned)+len(w.links) > 0 || err != nil {
				t.Errorf("left: %v, %v, %v, %v", left, w.pinned, w.links, err)
			}
		})
	}
}

func TestLife(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	s := w.open(dir)
	create := func(name string) error { return s.Create(name, map[string]string{"l": name}, three) }
	if err := errors.Join(create("a"), s.Start("a", three), s.Start("a", three)); err != nil {
		t.Fatal(err)
	}
	if err := create("a"); !errors.Is(err, sandbox.ErrExists) {
		t.Errorf("the second time: %v", err)
	}
	if r, ok := s.Get("a"); !ok || r.State != sandbox.Running || r.Address != three.First || r.Labels["l"] != "a" || r.StartedAt.IsZero() {
		t.Errorf("%+v, %v", r, ok)
	}
	if err := errors.Join(create("b"), create("c")); err != nil {
		t.Fatal(err)
	}
	if err := create("d"); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth address of three: %v", err)
	}
	if _, ok := s.Get("d"); ok {
		t.Error("there is one without an address")
	}
	if err := errors.Join(s.Stop("b", three), s.Stop("b", three), create("d")); err != nil {
		t.Errorf("what was given back is not given out: %v", err)
	}
	if r, ok := s.Get("b"); !ok || r.State != sandbox.Exited || r.Address.IsValid() || r.FinishedAt.IsZero() {
		t.Errorf("stopped: %+v, %v", r, ok)
	}
	if err := errors.Join(s.Remove("d", three), create("d")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Remove("c", three), s.Remove("d", three), create("c")); err != nil {
		t.Fatal(err)
	}
	if r, _ := s.Get("c"); r.Address != netip.MustParseAddr("10.0.0.6") {
		t.Errorf("the address after the last one was free, given out is %s", r.Address)
	}
	if err := create("d"); err != nil {
		t.Fatal(err)
	}
	clear(w.pinned) // a reboot
	clear(w.links)
	s = w.open(dir)
	for _, name := range []string{"a", "c", "d"} {
		if r, ok := s.Get(name); !ok || r.State != sandbox.Exited {
			t.Errorf("%s after a reboot: %+v, %v", name, r, ok)
		}
		if err := s.Start(name, three); err == nil {
			t.Errorf("%s was started without namespaces", name)
		}
	}
}

func TestNoBridge(t *testing.T) {
	w := newWorld()
	s := w.open(t.TempDir())
	w.bridge = false
	if err := s.Create("a", nil, three); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("a", three); !errors.Is(err, ErrNoBridge) {
		t.Errorf("started without a bridge: %v", err)
	}
	w.bridge = true
	if err := s.Start("a", three); err != nil {
		t.Error(err)
	}
}

// TestStrangers: directories that are no sandbox's are cleared, and nothing but what is known
// to be ours is removed from them.
func TestStrangers(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	strange := filepath.Join(dir, "torn")
	if err := errors.Join(os.Mkdir(strange, 0o700), os.WriteFile(filepath.Join(strange, recordFile), []byte(`{"na`), 0o600)); err != nil {
		t.Fatal(err)
	}
	w.links["skpffffffffffff"] = three.First
	s := w.open(dir)
	if err := s.Sweep(three); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 || len(w.links) > 0 {
		t.Errorf("left: %v, %v", left, w.links)
	}
	if err := os.MkdirAll(filepath.Join(strange, "precious"), 0o700); err != nil {
		t.Fatal(err)
	}
	s = w.open(dir)
	if err := s.Sweep(three); err != nil {
		t.Error(err)
	}
	if err := s.Create("torn", nil, three); err == nil {
		t.Error("a directory with something else in it was taken for a sandbox's")
	}
	if _, err := os.Stat(filepath.Join(strange, "precious")); err != nil {
		t.Error(err)
	}
}

func TestNext(t *testing.T) {
	at := netip.MustParseAddr
	used := map[netip.Addr]bool{at("10.0.0.5"): true}
	for _, c := range []struct{ last, want string }{{"", "10.0.0.4"}, {"10.0.0.4", "10.0.0.6"}, {"10.0.0.6", "10.0.0.4"}, {"10.9.9.9", "10.0.0.4"}} {
		last, _ := netip.ParseAddr(c.last)
		if got, ok := next(three.First, three.Last, last, used); !ok || got != at(c.want) {
			t.Errorf("after %q: %v, %v", c.last, got, ok)
		}
	}
	used[at("10.0.0.4")] = true
	if got, ok := next(three.First, three.Last, at("10.0.0.6"), used); !ok || got != at("10.0.0.6") {
		t.Errorf("the last one: %v, %v", got, ok)
	}
	used[at("10.0.0.6")] = true
	if got, ok := next(three.First, three.Last, at("10.0.0.4"), used); ok {
		t.Errorf("of none: %v", got)
	}
}

// TestRemoveWithoutARecord: whoever clears a host may have another directory than the agent
// that made the sandbox; its link goes all the same, or the bridge would stay.
func TestRemoveWithoutARecord(t *testing.T) {
	w := newWorld()
	made := w.open(t.TempDir())
	if err := errors.Join(made.Create("a", nil, three), made.Start("a", three)); err != nil {
		t.Fatal(err)
	}
	if err := w.open(t.TempDir()).Remove("a", three); err != nil {
		t.Fatal(err)
	}
	if len(w.links) > 0 {
		t.Errorf("links %v are left", w.links)
	}
}

// TestMadeMeanwhile: what is made while a former agent's leftovers are looked for is none.
func TestMadeMeanwhile(t *testing.T) {
	w := newWorld()
	s := w.open(t.TempDir())
	w.meanwhile = func() {
		if err := errors.Join(s.Create("a", nil, three), s.Start("a", three)); err != nil {
			t.Error(err)
		}
	}
	if err := s.Sweep(three); err != nil {
		t.Fatal(err)
	}
	sound(t, w, s)
}

// TestUnreadable: a record that cannot be read just now, for want of descriptors for example,
// is not one that is not there.
func TestUnreadable(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	s := w.open(dir)
	if err := errors.Join(s.Create("a", nil, three), s.Start("a", three)); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(s.path("a"), recordFile)
	if err := errors.Join(os.Rename(record, record+".kept"), os.Mkdir(record, 0o700)); err != nil {
		t.Fatal(err)
	}
	s = w.open(dir)
	if all, err := s.All(); err == nil {
		t.Errorf("got %v and no error", all)
	}
	if err := errors.Join(os.Remove(record), os.Rename(record+".kept", record)); err != nil {
		t.Fatal(err)
	}
	sound(t, w, s)
	if r, ok := s.Get("a"); !ok || r.State != sandbox.Running {
		t.Errorf("afterwards: %+v, %v", r, ok)
	}
}

// TestLongName: names may be longer than those of files.
func TestLongName(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	s := w.open(dir)
	long := strings.Repeat("n", 63) + "_" + strings.Repeat("p", 253) + "_"
	for _, name := range []string{long + "12345671", long + "12345672"} {
		if err := errors.Join(s.Create(name, nil, three), s.Start(name, three)); err != nil {
			t.Fatal(err)
		}
	}
	s = w.open(dir)
	sound(t, w, s)
	all, err := s.All()
	if len(all) != 2 || err != nil {
		t.Fatalf("%v, %v", all, err)
	}
	for _, r := range all {
		if err := s.Remove(r.Name, three); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left)+len(w.pinned)+len(w.links) > 0 {
		t.Errorf("left: %v, %v, %v", left, w.pinned, w.links)
	}
}

// TestSwept: a sandbox whose directory somebody removed can be removed.
func TestSwept(t *testing.T) {
	w := newWorld()
	s := w.open(t.TempDir())
	for _, end := range []func(string, Network) error{s.Stop, s.Remove} {
		if err := errors.Join(s.Create("a", nil, three), os.RemoveAll(s.dir), end("a", three), s.Remove("a", three)); err != nil {
			t.Error(err)
		}
	}
}
