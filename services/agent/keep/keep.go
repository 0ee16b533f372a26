// Package keep remembers on the host's disk what an agent needs to run its pods
// with no bus in reach: work orders with their last statuses, the ConfigMaps and Secrets
// that they used, and the node's own object.
//
// It reads and writes files under one directory (0700, files 0600). What always holds: a file is
// whole or not there, and a work order that Put returned for survives a power cut.
package keep

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Dir is a directory of kept objects. Safe for concurrent use on different objects.
type Dir struct {
	path string
}

const (
	orders  = "orders"
	objects = "objects"
)

// Open makes the directory if it is not there.
func Open(path string) (*Dir, error) {
	for _, sub := range []string{orders, objects} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return nil, fmt.Errorf("open kept state: %w", err)
		}
		// Left by an agent that ended in the middle of a write.
		stray, err := filepath.Glob(filepath.Join(path, sub, temporary+"*"))
		if err != nil {
			return nil, fmt.Errorf("open kept state: %w", err)
		}
		for _, f := range stray {
			if err := os.Remove(f); err != nil {
				return nil, fmt.Errorf("open kept state: %w", err)
			}
		}
	}
	return &Dir{path: path}, nil
}

// PutOrder keeps a work order, durably; its Status is the pod's last known one.
func (d *Dir) PutOrder(p *v1.Pod) error {
	name := orderFile(keyOf(p))
	if err := d.put(orders, name, p, true); err != nil {
		return err
	}
	return drop(filepath.Join(d.path, orders, statusFile(name)))
}

// PutStatus keeps p's newer status beside its work order; losing that to a power cut is harmless. The order's own
// file is left alone: one that is replaced without a sync can be empty after a power cut.
func (d *Dir) PutStatus(p *v1.Pod) error {
	return d.put(orders, statusFile(orderFile(keyOf(p))), &v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: p.UID}, Status: p.Status}, false)
}

// DropOrder forgets a work order.
func (d *Dir) DropOrder(k sandbox.Key) error {
	path := filepath.Join(d.path, orders, orderFile(k))
	return errors.Join(drop(path), drop(statusFile(path)))
}

func keyOf(p *v1.Pod) sandbox.Key {
	return sandbox.Key{Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Name)}
}

// statusFile is where the status is that belongs to a work order's file.
func statusFile(order string) string { return strings.TrimSuffix(order, suffix) + ".status" }

// Orders returns every kept work order. Files that cannot be read are reported
// beside the others.
func (d *Dir) Orders() ([]*v1.Pod, error) {
	dir := filepath.Join(d.path, orders)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read kept work orders: %w", err)
	}
	var pods []*v1.Pod
	var errs []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		p := &v1.Pod{}
		if _, err := read(filepath.Join(dir, e.Name()), p); err != nil {
			errs = append(errs, err)
			continue
		}
		var newer v1.Pod
		if is, err := read(filepath.Join(dir, statusFile(e.Name())), &newer); err == nil && is && newer.UID == p.UID {
			p.Status = newer.Status
		}
		pods = append(pods, p)
	}
	return pods, errors.Join(errs...)
}

// PutObject keeps an object that pods refer to, or the node. Unchanged, it costs a read.
func (d *Dir) PutObject(r schemas.Ref, obj schemas.Object) error {
	return d.put(objects, objectFile(r), obj, true)
}

// Object reads a kept object into obj; false if it was never kept.
func (d *Dir) Object(r schemas.Ref, obj schemas.Object) (bool, error) {
	return read(filepath.Join(d.path, objects, objectFile(r)), obj)
}

// DropObject forgets an object.
func (d *Dir) DropObject(r schemas.Ref) error {
	return drop(filepath.Join(d.path, objects, objectFile(r)))
}

// Sweep forgets every object that is not in keep.
func (d *Dir) Sweep(keep map[schemas.Ref]bool) error {
	names := map[string]bool{}
	for r := range keep {
		names[objectFile(r)] = true
	}
	dir := filepath.Join(d.path, objects)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep kept objects: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !names[e.Name()] {
			errs = append(errs, drop(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

const (
	suffix    = ".json"
	temporary = ".new-"
)

func orderFile(k sandbox.Key) string { return file(string(k.Namespace), string(k.Name)) }

func objectFile(r schemas.Ref) string {
	return file(r.Resource.Plural, string(r.Namespace), string(r.Name))
}

// longest leaves room in a file name, which may be 255 bytes, for what put adds.
const longest = 200

// file names a file after parts, escaped so that no name leads out of the directory.
func file(parts ...string) string {
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(bus.Escape(p, false), "/", "=2F")
	}
	name := strings.Join(parts, ".")
	if len(name) > longest {
		sum := sha256.Sum256([]byte(name))
		name = name[:longest-32] + hex.EncodeToString(sum[:16])
	}
	return name + suffix
}

func read(path string, into any) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read kept object: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("decode kept object %s: %w", filepath.Base(path), err)
	}
	return true, nil
}

func drop(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop kept object: %w", err)
	}
	return nil
}
