// Package device gives containers the devices that a node declares as extended
// resources: which of them, and for how long.
//
// It reads and writes one file in the agent's directory. What always holds: a device
// is one container's at most; a container has the same ones each time it starts, also
// after the agent has; what was given is on disk before the container is made.
package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Stock is the devices of each resource: CDI names ("nvidia.com/gpu=0") or paths
// ("/dev/ttyUSB0").
type Stock map[v1.ResourceName][]string

// cdiName is vendor/class=name as the Container Device Interface has it.
var cdiName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._-]*/[a-zA-Z][a-zA-Z0-9._-]*=[a-zA-Z0-9][a-zA-Z0-9._:-]*$`)

// Parse reads RESOURCE=DEVICE[,DEVICE…] for each resource.
func Parse(declared []string) (Stock, error) {
	stock, seen := Stock{}, map[string]bool{}
	for _, d := range declared {
		name, list, ok := strings.Cut(d, "=")
		if errs := validation.IsQualifiedName(name); !ok || len(errs) > 0 || !strings.Contains(name, "/") || strings.Contains(name, "kubernetes.io/") {
			return nil, fmt.Errorf("read device %q: it must be RESOURCE=DEVICE, with a resource such as nvidia.com/gpu", d)
		}
		for device := range strings.SplitSeq(list, ",") {
			if !cdiName.MatchString(device) && !filepath.IsAbs(device) {
				return nil, fmt.Errorf("read device %q: %q is neither a CDI name (vendor.com/class=name) nor a path", d, device)
			}
			if seen[device] {
				return nil, fmt.Errorf("read device %q: %s is declared twice", d, device)
			}
			seen[device] = true
			stock[v1.ResourceName(name)] = append(stock[v1.ResourceName(name)], device)
		}
	}
	return stock, nil
}

// Capacity is how many there are.
func (s Stock) Capacity() v1.ResourceList {
	out := v1.ResourceList{}
	for name, devices := range s {
		out[name] = *resource.NewQuantity(int64(len(devices)), resource.DecimalSI)
	}
	return out
}

// Ledger is who has which device. Safe for concurrent use.
type Ledger struct {
	stock Stock
	path  string

	mu    sync.Mutex
	given map[types.UID]map[string][]string // pod → container → devices
}

// Open reads the ledger in dir, empty if there is none.
func Open(dir string, stock Stock) (*Ledger, error) {
	l := &Ledger{stock: stock, path: filepath.Join(dir, "devices.json"), given: map[types.UID]map[string][]string{}}
	b, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	if err := json.Unmarshal(b, &l.given); err != nil {
		return nil, fmt.Errorf("read devices in %s: %w", l.path, err)
	}
	return l, nil
}

// Take returns the devices of a pod's container, and gives it some if it has none yet.
func (l *Ledger) Take(pod types.UID, c *v1.Container) ([]string, error) {
	if l == nil {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.given[pod][c.Name]; ok {
		return have, nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(l.stock)) {
		q := c.Resources.Limits[name]
		want := int(q.Value())
		free := l.free(name)
		if want > len(free) {
			return nil, fmt.Errorf("%d of %s are free, %d are asked for", len(free), name, want)
		}
		out = append(out, free[:want]...)
	}
	if len(out) == 0 {
		return nil, nil
	}
	if l.given[pod] == nil {
		l.given[pod] = map[string][]string{}
	}
	l.given[pod][c.Name] = out
	if err := l.save(); err != nil {
		delete(l.given[pod], c.Name)
		return nil, err
	}
	return out, nil
}

// Free takes back what a pod's containers had, which have ended for good.
func (l *Ledger) Free(pod types.UID) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	had, ok := l.given[pod]
	if !ok {
		return nil
	}
	delete(l.given, pod)
	if err := l.save(); err != nil {
		l.given[pod] = had
		return err
	}
	return nil
}

// free are the devices of a resource that nobody has.
func (l *Ledger) free(name v1.ResourceName) []string {
	taken := map[string]bool{}
	for _, containers := range l.given {
		for _, devices := range containers {
			for _, d := range devices {
				taken[d] = true
			}
		}
	}
	var out []string
	for _, d := range l.stock[name] {
		if !taken[d] {
			out = append(out, d)
		}
	}
	return out
}

// save writes the ledger, whole or not at all.
func (l *Ledger) save() error {
	b, err := json.Marshal(l.given)
	if err != nil {
		return fmt.Errorf("encode devices: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(l.path), ".devices-*")
	if err != nil {
		return fmt.Errorf("write devices: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone once it is renamed
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		return fmt.Errorf("write devices: %w", err)
	}
	return nil
}
