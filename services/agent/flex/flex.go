//go:build linux

// Package flex runs the FlexVolume drivers of a host: programs that mount volumes, called with a verb
// and options as JSON (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-storage/flexvolume.md).
//
// Reads: a directory of programs, what they print. Writes: what they do. What always holds: only a program in
// that directory is run; a call has an end, and its output a largest size.
package flex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/skerry/skerry/services/agent/command"
)

// DefaultDir is where drivers are installed, on hosts of Kubernetes.
const DefaultDir = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"

const (
	// callLimit bounds one call of a driver.
	callLimit = 2 * time.Minute
	// mostOutput is the largest output that is read.
	mostOutput = 1 << 20
)

// ErrNotSupported says that the driver does not know the verb.
var ErrNotSupported = errors.New("Not supported")

// Drivers are those of a host. Safe for concurrent use.
type Drivers struct {
	Dir string

	mu    sync.Mutex
	known map[string]known
}

// known is a driver that has been asked what it can do.
type known struct {
	driver Driver
	made   time.Time // the program's modification time
	size   int64
}

// Driver is one driver.
type Driver struct {
	Name string
	// Attach tells whether it may attach devices, FSGroup whether its volumes may be given to a group.
	Attach  bool
	FSGroup bool
	path    string
}

// namePart is what a vendor and a driver may be called: neither leads out of the directory.
var namePart = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// DirName is the name of a driver's directory: vendor~driver for vendor/driver.
func DirName(name string) (string, error) {
	vendor, driver, two := strings.Cut(name, "/")
	// Those are the names of Kubernetes' own volumes on disk.
	if !namePart.MatchString(vendor) || two && !namePart.MatchString(driver) || two && vendor == "kubernetes.io" {
		return "", fmt.Errorf("no volume plugin matched: %q is no name of a driver", name)
	}
	return strings.ReplaceAll(name, "/", "~"), nil
}

// NameOf is the driver whose directory is called dir.
func NameOf(dir string) string { return strings.Replace(dir, "~", "/", 1) }

// Find finds a driver by name, and asks it once what it can do.
func (d *Drivers) Find(ctx context.Context, name string) (Driver, error) {
	dir, err := DirName(name)
	if err != nil {
		return Driver{}, err
	}
	path := filepath.Join(d.Dir, dir, name[strings.LastIndex(name, "/")+1:])
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return Driver{}, fmt.Errorf("no volume plugin matched: this host has no driver %s", path)
	}
	d.mu.Lock()
	k, ok := d.known[path]
	d.mu.Unlock()
	if ok && k.made.Equal(info.ModTime()) && k.size == info.Size() {
		return k.driver, nil
	}
	out := Driver{Name: name, path: path}
	st, err := out.call(ctx, "init")
	if err != nil {
		return out, fmt.Errorf("error creating Flexvolume plugin from directory %s, skipping. Error: %w", dir, err)
	}
	out.Attach, out.FSGroup = st.Capabilities.Attach, st.Capabilities.FSGroup
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]known{}
	}
	d.known[path] = known{out, info.ModTime(), info.Size()}
	return out, nil
}

// status is what a driver answers.
type status struct {
	Status       string `json:"status"`
	Message      string `json:"message"`
	Device       string `json:"device"`
	Capabilities struct {
		Attach  bool `json:"attach"`
		FSGroup bool `json:"fsGroup"`
	} `json:"capabilities"`
}

// Mount has the driver mount a volume at dir.
func (d Driver) Mount(ctx context.Context, dir string, options map[string]string) error {
	_, err := d.with(ctx, options, "mount", dir)
	return err
}

// Unmount undoes Mount.
func (d Driver) Unmount(ctx context.Context, dir string) error {
	_, err := d.call(ctx, "unmount", dir)
	return err
}

// AttachDevice attaches a volume's device to this node and waits for it; "" is none: the driver mounts without.
func (d Driver) AttachDevice(ctx context.Context, options map[string]string, node string) (string, error) {
	json, err := encode(options)
	if err != nil {
		return "", err
	}
	st, err := d.call(ctx, "attach", json, node)
	if err != nil && !errors.Is(err, ErrNotSupported) {
		return "", err
	}
	device := st.Device
	st, err = d.call(ctx, "waitforattach", device, json)
	if errors.Is(err, ErrNotSupported) {
		return device, nil
	}
	return st.Device, err
}

// MountDevice mounts an attached device at dir, for all pods of the node.
func (d Driver) MountDevice(ctx context.Context, dir, device string, options map[string]string) error {
	_, err := d.with(ctx, options, "mountdevice", dir, device)
	return err
}

// UnmountDevice undoes MountDevice.
func (d Driver) UnmountDevice(ctx context.Context, dir string) error {
	_, err := d.call(ctx, "unmountdevice", dir)
	return err
}

// DetachDevice undoes AttachDevice.
func (d Driver) DetachDevice(ctx context.Context, volume, node string) error {
	_, err := d.call(ctx, "detach", volume, node)
	if errors.Is(err, ErrNotSupported) {
		return nil
	}
	return err
}

func encode(options map[string]string) (string, error) {
	b, err := json.Marshal(options)
	if err != nil {
		return "", fmt.Errorf("failed to marshal spec, error: %w", err)
	}
	return string(b), nil
}

// with calls the driver with the options as the last argument.
func (d Driver) with(ctx context.Context, options map[string]string, args ...string) (status, error) {
	json, err := encode(options)
	if err != nil {
		return status{}, err
	}
	return d.call(ctx, append(args, json)...)
}

// call runs the driver. Neither its arguments, which hold secrets, nor what it printed are told if it fails,
// but for its own message.
func (d Driver) call(ctx context.Context, args ...string) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	cmd := command.New(ctx, d.path, args...)
	var out capped
	cmd.Stdout, cmd.Stderr = &out, &out
	failed := cmd.Run()
	if ctx.Err() != nil {
		return status{}, fmt.Errorf("%s: no answer: %w", args[0], ctx.Err())
	}
	st, err := parse(args[0], out.Bytes())
	if err == nil && failed != nil && !errors.Is(failed, exec.ErrWaitDelay) {
		return st, fmt.Errorf("%s: %w, but no error in its answer", args[0], failed)
	}
	return st, err
}

// parse reads an answer.
func parse(verb string, out []byte) (status, error) {
	var st status
	st.Capabilities.Attach, st.Capabilities.FSGroup = true, true
	if err := json.Unmarshal(out, &st); err != nil {
		return status{}, fmt.Errorf("%s: the driver's answer cannot be read: %w", verb, err)
	}
	const longest = 2 << 10
	if len(st.Message) > longest {
		st.Message = st.Message[:longest] + "…"
	}
	switch st.Status {
	case "Success":
		return st, nil
	case "Not supported":
		return status{}, ErrNotSupported
	}
	return status{}, fmt.Errorf("%s command failed, status: %.40s, reason: %s", verb, st.Status, strings.ToValidUTF8(st.Message, "�"))
}

// capped keeps the beginning of what is written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if room := mostOutput - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
