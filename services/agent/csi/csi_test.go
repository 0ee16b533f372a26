//go:build linux

package csi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/skerry/skerry/services/agent/csi/csitest"
	"github.com/skerry/skerry/services/agent/mount"
)

// registry is one that runs, and the drivers that it has told of.
func registry(t *testing.T, dir string) (*Registry, <-chan string) {
	t.Helper()
	came := make(chan string, 16)
	r := NewRegistry(dir, slog.New(slog.DiscardHandler), func(name string) { came <- name })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return r, came
}

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "csi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(mount.Unmount(dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func start(t *testing.T, d *csitest.Driver) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
}

func registered(t *testing.T, d *csitest.Driver) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reason, err := d.Registered(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return reason
}

// until waits for what gives no notice.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal(what)
		}
	}
}

// TestRegistration: a driver is known from its registration until its socket goes, whether it was there before the
// agent or comes later, in a directory below too, and again when it starts anew.
func TestRegistration(t *testing.T) {
	dir := shortDir(t)
	early := &csitest.Driver{Name: "early.example.com", Dir: filepath.Join(dir, "e"), Registry: filepath.Join(dir, "r")}
	start(t, early)
	r, came := registry(t, filepath.Join(dir, "r"))
	if reason := registered(t, early); reason != "" || <-came != early.Name {
		t.Errorf("the early one: %q", reason)
	}
	late := &csitest.Driver{Name: "Late.example.com", Dir: filepath.Join(dir, "l"), Registry: filepath.Join(dir, "r", "below")}
	start(t, late)
	if reason := registered(t, late); reason != "" || <-came != late.Name {
		t.Errorf("the late one: %q", reason)
	}
	for range 2 {
		late.Stop()
		until(t, "the driver that has ended is still known", func() bool { _, err := r.Driver(late.Name); return err != nil })
		start(t, late)
		if reason := registered(t, late); reason != "" || <-came != late.Name {
			t.Errorf("started anew: %q", reason)
		}
	}
	if _, err := r.Driver(early.Name); err != nil {
		t.Error(err)
	}
	if _, err := r.Driver("none"); err == nil || err.Error() != "driver name none not found in the list of registered CSI drivers" {
		t.Errorf("got %v", err)
	}
}

// TestSocketThatIsReplaced: a socket that takes another's place between two looks is another driver's.
func TestSocketThatIsReplaced(t *testing.T) {
	dir := shortDir(t)
	was := &csitest.Driver{Name: "was.example.com", Dir: filepath.Join(dir, "1"), Registry: filepath.Join(dir, "r")}
	is := &csitest.Driver{Name: "is.example.com", Dir: filepath.Join(dir, "2"), Registry: filepath.Join(dir, "apart")}
	start(t, was)
	start(t, is)
	r, came := registry(t, was.Registry)
	if name := <-came; name != was.Name {
		t.Fatal(name)
	}
	if err := os.Rename(is.RegistrationSocket(), was.RegistrationSocket()); err != nil {
		t.Fatal(err)
	}
	if name := <-came; name != is.Name {
		t.Errorf("%s came", name)
	}
	if _, err := r.Driver(was.Name); err == nil {
		t.Error("the driver whose socket has gone is still known")
	}
}

// TestWithoutWatches: on a host that has no watches left drivers are found by looking.
func TestWithoutWatches(t *testing.T) {
	dir := shortDir(t)
	d := &csitest.Driver{Name: "d.example.com", Dir: filepath.Join(dir, "1"), Registry: filepath.Join(dir, "r", "below")}
	start(t, d)
	came := make(chan string, 1)
	r := NewRegistry(filepath.Join(dir, "r"), slog.New(slog.DiscardHandler), func(name string) { came <- name })
	r.watcher = func() (*fsnotify.Watcher, error) { return nil, unix.EMFILE }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	if reason := registered(t, d); reason != "" || <-came != d.Name {
		t.Errorf("it is refused: %q", reason)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w, err := fsnotify.NewWatcher()
	if err := errors.Join(err, w.Close()); err != nil { // it takes no more
		t.Fatal(err)
	}
	if found, all := r.look(w); len(found) != 1 || !all {
		t.Errorf("found %v, %v", found, all)
	}
}

// TestDriversThatAreRefused: each is told why, and is not known.
func TestDriversThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		driver *csitest.Driver
		reason string
	}{
		"another kind": {&csitest.Driver{Name: "a.b", Kind: "DRAPlugin"}, "no handler registered for plugin type: DRAPlugin"},
		"too new":      {&csitest.Driver{Name: "a.b", Versions: []string{"2.0.0"}}, "None of the versions"},
		"too old":      {&csitest.Driver{Name: "a.b", Versions: []string{"0.3.0"}}, "must be v1.x"},
		"no version":   {&csitest.Driver{Name: "a.b", Versions: []string{"x"}}, "none of the versions"},
		"a bad name":   {&csitest.Driver{Name: "a_b"}, "is no name of a driver"},
		"it fails": {&csitest.Driver{Name: "a.b", Info: func() (*csi.NodeGetInfoResponse, error) {
			return nil, status.Error(codes.FailedPrecondition, "no disk %41")
		}},
			"rpc error: code = FailedPrecondition desc = no disk %41"},
		"it does not know itself": {&csitest.Driver{Name: "a.b", Info: func() (*csi.NodeGetInfoResponse, error) { return &csi.NodeGetInfoResponse{}, nil }}, "no id of this node"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			d := c.driver
			d.Dir, d.Registry = dir, filepath.Join(dir, "r")
			start(t, d)
			r, _ := registry(t, d.Registry)
			if reason := registered(t, d); !strings.Contains(strings.ToLower(reason), strings.ToLower(c.reason)) {
				t.Errorf("told %q", reason)
			}
			if _, err := r.Driver(d.Name); err == nil {
				t.Error("it is known")
			}
		})
	}
}

// TestSecondOfAName: the first one stays, and a newer one takes its place.
func TestSecondOfAName(t *testing.T) {
	dir := shortDir(t)
	one := &csitest.Driver{Name: "a.b", Dir: filepath.Join(dir, "1"), Registry: filepath.Join(dir, "r/1")}
	two := &csitest.Driver{Name: "a.b", Dir: filepath.Join(dir, "2"), Registry: filepath.Join(dir, "r/2")}
	three := &csitest.Driver{Name: "a.b", Dir: filepath.Join(dir, "3"), Registry: filepath.Join(dir, "r/3"), Versions: []string{"1.1.0"}}
	start(t, one)
	r, _ := registry(t, filepath.Join(dir, "r"))
	if reason := registered(t, one); reason != "" {
		t.Fatal(reason)
	}
	start(t, two)
	if reason := registered(t, two); !strings.Contains(reason, "already registered with a higher supported version") {
		t.Errorf("told %q", reason)
	}
	start(t, three)
	if reason := registered(t, three); reason != "" {
		t.Errorf("told %q", reason)
	}
	if d, err := r.Driver("a.b"); err != nil || d.socket != three.RegistrationSocket() {
		t.Errorf("known: %+v, %v", d, err)
	}
}

// TestCalls: what a driver is asked arrives, as the library of CSI reads it.
func TestCalls(t *testing.T) {
	dir := shortDir(t)
	d := &csitest.Driver{Name: "a.b", Dir: dir, Registry: filepath.Join(dir, "r"), MountGroup: true}
	start(t, d)
	r, came := registry(t, d.Registry)
	<-came
	known, err := r.Driver("a.b")
	if err != nil {
		t.Fatal(err)
	}
	can, err := known.Abilities(t.Context())
	if err != nil || can != (Abilities{MountGroup: true}) {
		t.Errorf("it can %+v, %v", can, err)
	}
	v := &Volume{ID: "v1", Target: filepath.Join(dir, "t", "mount"), ReadOnly: true, FSType: "xfs", Context: map[string]string{"a": "b", "empty": ""},
		Secrets: map[string]string{"s": "\x00"}, Group: new(int64(4711))}
	if err := os.Mkdir(filepath.Dir(v.Target), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := known.Publish(t.Context(), v, can); err != nil {
			t.Fatal(err)
		}
	}
	got := d.Asked()[1]
	m := got.VolumeCapability.GetMount()
	if got.VolumeId != "v1" || got.TargetPath != v.Target || !got.Readonly || !maps.Equal(got.VolumeContext, v.Context) || !maps.Equal(got.Secrets, v.Secrets) ||
		m == nil || m.FsType != "xfs" || m.VolumeMountGroup != "4711" || got.VolumeCapability.AccessMode.GetMode() != csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER {
		t.Errorf("asked %v", got)
	}
	if at, err := mount.Below(dir); err != nil || len(at) != 1 {
		t.Errorf("mounted: %+v, %v", at, err)
	}
	for range 2 {
		if err := known.Unpublish(t.Context(), "v1", v.Target); err != nil {
			t.Fatal(err)
		}
	}
	if at, _ := mount.Below(dir); len(at) != 0 {
		t.Errorf("still mounted: %+v", at)
	}
	if err := known.Publish(t.Context(), &Volume{ID: "v2", Target: v.Target}, Abilities{MultiWriter: true}); err != nil {
		t.Fatal(err)
	}
	if got := d.Asked()[2]; got.VolumeCapability.GetMount() == nil || got.VolumeCapability.AccessMode.GetMode() != csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER {
		t.Errorf("asked %v", got)
	}
}

// TestCallsThatFail: in gRPC's words, and it is told whether the driver may still be at it.
func TestCallsThatFail(t *testing.T) {
	dir := shortDir(t)
	release := make(chan struct{})
	d := &csitest.Driver{Name: "a.b", Dir: dir, Registry: filepath.Join(dir, "r")}
	d.Publish = func(ctx context.Context, r *csi.NodePublishVolumeRequest) error {
		switch r.VolumeId {
		case "hang":
			select {
			case <-ctx.Done():
			case <-release:
			}
			return ctx.Err()
		case "long":
			return status.Error(codes.Internal, strings.Repeat("ä", 4000))
		}
		return status.Error(codes.PermissionDenied, "not for you: 100%\n")
	}
	start(t, d)
	t.Cleanup(func() { close(release) })
	known := Driver{Name: "a.b", endpoint: filepath.Join(dir, "csi.sock")}
	err := known.Publish(t.Context(), &Volume{ID: "x", Target: "/t"}, Abilities{})
	if err == nil || err.Error() != "rpc error: code = PermissionDenied desc = not for you: 100%\n" || !Final(err) {
		t.Errorf("refused: %v", err)
	}
	if err := known.Publish(t.Context(), &Volume{ID: "long", Target: "/t"}, Abilities{}); err == nil || len(err.Error()) > 3000 {
		t.Errorf("a long answer: %d bytes", len(fmt.Sprint(err)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := known.Publish(ctx, &Volume{ID: "hang", Target: "/t"}, Abilities{}); err == nil || !strings.HasPrefix(err.Error(), "rpc error: code = DeadlineExceeded") || Final(err) {
		t.Errorf("no answer: %v", err)
	}
	d.Stop()
	if err := known.Publish(t.Context(), &Volume{ID: "x", Target: "/t"}, Abilities{}); err == nil || !strings.Contains(err.Error(), "code = Unavailable desc = connection error") || Final(err) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestHostileAnswers: whatever comes from a socket is an error, soon and in bounds.
func TestHostileAnswers(t *testing.T) {
	huge := frame(make([]byte, longestAnswer+1))
	for name, serve := range map[string]http.HandlerFunc{
		"no gRPC":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
		"an error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"no number":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "many") },
		"too much":    answer(huge),
		"no end":      answer([]byte{0, 255, 255, 255, 255, 1}),
		"compressed":  answer([]byte{1, 0, 0, 0, 0}),
		"a bad field": answer(frame([]byte{0xff, 0xff, 0xff})),
		"a short one": answer(frame([]byte{1<<3 | 2, 200, 1})),
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(shortDir(t), "s.sock")
			l, err := net.Listen("unix", at)
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{Handler: serve, Protocols: new(http.Protocols)}
			s.Protocols.SetUnencryptedHTTP2(true)
			done := make(chan error, 1)
			go func() { done <- s.Serve(l) }()
			defer func() { _ = s.Close(); <-done }()
			_, err = (Driver{endpoint: at}).Abilities(t.Context())
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("got %v", err)
			}
			if _, err := ask(t.Context(), at); err == nil {
				t.Error("it registers")
			}
		})
	}
}

// answer is one of gRPC's with a body.
func answer(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(body)
		w.Header().Set("Grpc-Status", "0")
	}
}
