//go:build linux

package flex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// install makes a driver of a shell script, which writes down what it is called with.
func install(t *testing.T, name, script string) (*Drivers, string) {
	t.Helper()
	d := &Drivers{Dir: t.TempDir()}
	dir, err := DirName(name)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(d.Dir, dir)
	calls := filepath.Join(d.Dir, "calls")
	program := filepath.Join(at, name[strings.LastIndex(name, "/")+1:])
	if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\" >>"+calls+"\n"+script+"\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	return d, calls
}

func called(t *testing.T, calls string) string {
	t.Helper()
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDriver: a driver is asked once what it can do, and called as the kubelet calls it.
func TestDriver(t *testing.T) {
	d, calls := install(t, "example.com/disk", `case $1 in
init) echo '{"status":"Success","capabilities":{"attach":false}}';;
attach) echo '{"status":"Success","device":"/dev/x"}';;
waitforattach) echo '{"status":"Success","device":"/dev/y"}';;
mount|unmount|mountdevice|unmountdevice|detach) echo '{"status":"Success"}';;
*) echo '{"status":"Not supported"}'; exit 1;;
esac`)
	options := map[string]string{"b": "2", "a": "<1>"}
	for range 2 {
		one, err := d.Find(t.Context(), "example.com/disk")
		if err != nil || one.Attach || !one.FSGroup {
			t.Fatalf("it can %+v, %v", one, err)
		}
		device, err := one.AttachDevice(t.Context(), options, "n1")
		if err := errors.Join(err, one.MountDevice(t.Context(), "/g", device, options), one.Mount(t.Context(), "/p", options),
			one.Unmount(t.Context(), "/p"), one.UnmountDevice(t.Context(), "/g"), one.DetachDevice(t.Context(), "v", "n1")); err != nil || device != "/dev/y" {
			t.Errorf("device %s, %v", device, err)
		}
	}
	const json = `{"a":"\u003c1\u003e","b":"2"}`
	one := "attach " + json + " n1\nwaitforattach /dev/x " + json + "\nmountdevice /g /dev/y " + json + "\nmount /p " + json + "\nunmount /p\nunmountdevice /g\ndetach v n1\n"
	if got := called(t, calls); got != "init\n"+one+one {
		t.Errorf("called with\n%s", got)
	}
}

// TestPlainDriver: one that knows two verbs may attach and does without; another version of it is asked again.
func TestPlainDriver(t *testing.T) {
	const script = `case $1 in init|mount|unmount) echo '{"status":"Success"}';; *) echo '{"status":"Not supported"}'; exit 1;; esac`
	d, calls := install(t, "plain", script)
	one, err := d.Find(t.Context(), "plain")
	if err != nil || !one.Attach || !one.FSGroup {
		t.Fatalf("it can %+v, %v", one, err)
	}
	if device, err := one.AttachDevice(t.Context(), nil, "n1"); err != nil || device != "" {
		t.Errorf("device %q, %v", device, err)
	}
	if err := one.MountDevice(t.Context(), "/g", "", nil); !errors.Is(err, ErrNotSupported) {
		t.Errorf("got %v", err)
	}
	if err := one.DetachDevice(t.Context(), "v", "n1"); err != nil {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(one.path, []byte("#!/bin/sh\necho again >>"+calls+"; echo '{\"status\":\"Success\",\"capabilities\":{\"fsGroup\":false}}'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if one, err = d.Find(t.Context(), "plain"); err != nil || one.FSGroup || !strings.HasSuffix(called(t, calls), "again\n") {
		t.Errorf("it can %+v, %v", one, err)
	}
}

// TestDriversThatFail: what a driver says of a failure is told, in bounds, and nothing of what it was told.
func TestDriversThatFail(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"its own words":     {`echo '{"status":"Failure","message":"no such disk"}'; exit 1`, "mount command failed, status: Failure, reason: no such disk"},
		"no answer":         {`exit 3`, "mount: the driver's answer cannot be read"},
		"no JSON":           {`echo "usage: $2"`, "mount: the driver's answer cannot be read"},
		"a wrong success":   {`echo '{"status":"Success"}'; exit 2`, "mount: exit status 2, but no error in its answer"},
		"too many words":    {`printf '{"status":"Failure","message":"'; head -c 5000 /dev/zero | tr '\0' x; printf '"}'`, "reason: xxx"},
		"words without end": {`yes`, "mount: the driver's answer cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			script := c.script
			if name == "words without end" {
				script = "head -c 9000000 /dev/zero"
			}
			d, _ := install(t, "a/b", `[ "$1" = init ] && { echo '{"status":"Success"}'; exit; }
`+script)
			one, err := d.Find(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			err = one.Mount(t.Context(), "/p", map[string]string{"kubernetes.io/secret/key": "c2VjcmV0"})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") || len(err.Error()) > 2200 {
				t.Errorf("got %.300v (%d bytes)", err, len(fmt.Sprint(err)))
			}
		})
	}
}

// TestDriverThatHangs: it is ended, with what it waits for; what it leaves in the background holds up nothing.
func TestDriverThatHangs(t *testing.T) {
	d, _ := install(t, "a/b", `sleep 3 & [ "$1" = init ] && { echo '{"status":"Success"}'; exit; }; sleep 60`)
	one, err := d.Find(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := one.Unmount(ctx, "/p"); err == nil || !strings.HasPrefix(err.Error(), "unmount: no answer: ") {
		t.Errorf("got %v", err)
	}
}

// TestNames: no name leads to another program than a driver's.
func TestNames(t *testing.T) {
	d, _ := install(t, "a/b", "exit 1")
	if err := errors.Join(os.WriteFile(filepath.Join(d.Dir, "b"), []byte("#!/bin/sh\n"), 0o755), os.MkdirAll(filepath.Join(d.Dir, "d", "d"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "..", "../b", "a/..", "a/../b", "a/b/c", "/b", "a~b", ".a/b", "kubernetes.io/secret", "a/none", "none/b", "d", "b"} {
		if _, err := d.Find(t.Context(), name); err == nil || !strings.HasPrefix(err.Error(), "no volume plugin matched") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := d.Find(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "error creating Flexvolume plugin from directory a~b") {
		t.Errorf("a driver that cannot begin: %v", err)
	}
	if NameOf("a~b") != "a/b" || NameOf("a") != "a" {
		t.Error("a directory's driver")
	}
}
