package space

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// What is in a sandbox's directory.
const (
	recordFile = "record.json"
	networkPin = "net"
	ipcPin     = "ipc"
	memoryDir  = "shm"
)

// linkPrefix begins the names of links, which have at most 15 bytes.
const linkPrefix = "skp"

// longest is how long a directory's name may be: a pod's and its namespace's may be longer
// together than file systems take.
const longest = 200

// folder is the name of a sandbox's directory.
func folder(name string) string {
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:longest-32] + hex.EncodeToString(sum[:16])
}

// link is the name of a sandbox's link at the bridge.
func link(name string) string {
	sum := sha256.Sum256([]byte(name))
	return linkPrefix + hex.EncodeToString(sum[:6])
}

// read reads all records, once. A directory without one is of a sandbox that was never
// made, or is all but removed. The caller holds the lock.
func (s *Store) read() error {
	if s.known != nil {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read sandboxes: %w", err)
	}
	known := map[string]*Record{}
	for _, e := range entries {
		dir := filepath.Join(s.dir, e.Name())
		r, err := load(dir)
		if err != nil {
			return fmt.Errorf("read sandboxes: %w", err)
		}
		if r == nil || s.path(r.Name) != dir {
			s.log.Info("remove what a crash left of a sandbox", "sandbox", e.Name())
			if err := discard(s.pins, dir); err != nil {
				s.log.Warn("it is left as it is", "sandbox", e.Name(), "error", err)
			}
			continue
		}
		known[r.Name] = r
	}
	s.known = known
	return nil
}

// load reads the record in a directory; nil if there is none that is whole. That one cannot be
// read now says nothing about it: what is discarded for that may be running.
func load(dir string) (*Record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if json.Unmarshal(text, r) != nil {
		return nil, nil
	}
	return r, nil
}

// change changes a record, on disk first.
func (s *Store) change(name string, f func(*Record)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.known[name]
	if r == nil {
		return fmt.Errorf("change sandbox %s: %w", name, sandbox.ErrNotFound)
	}
	changed := *r
	f(&changed)
	if err := write(s.path(name), changed); err != nil {
		return err
	}
	s.known[name] = &changed
	return nil
}

// write replaces a record. It is not synced: what it tells of does not outlive the host's
// being up either.
func write(dir string, r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record of sandbox: %w", err)
	}
	// Somebody may have removed the directory, of a sandbox that is to be removed all the same.
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write record of sandbox: %w", err)
	}
	path := filepath.Join(dir, recordFile)
	if err = os.WriteFile(path+".new", text, 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write record of sandbox: %w", err)
	}
	return nil
}

// discard removes a sandbox's directory, by name only: never what may still be mounted there.
func discard(p pins, dir string) error {
	err := p.unpin(dir)
	for _, name := range []string{recordFile, recordFile + ".new", networkPin, ipcPin, memoryDir, ""} {
		if err != nil {
			break
		}
		if err = os.Remove(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove directory of sandbox: %w", err)
	}
	return nil
}
