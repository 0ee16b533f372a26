//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// detach removes the disk's devices, and logs out when no other disk of the host is behind the
// same portal.
func (s *ISCSI) detach(ctx context.Context, m *Manager, name string) error {
	unlock, err := m.locks.acquire(ctx, "target "+s.IQN)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.Host.remove(ctx, m.Host.lunDevices(s.IQN, s.LUN)); err != nil {
		return err
	}
	busy, err := m.shared(s, name)
	if err != nil || busy || m.Host.busy(s.IQN) {
		return err
	}
	a := &login{ISCSI: s, Host: &m.Host}
	for _, portal := range unique(s.Portals) {
		node := []string{"-m", "node", "-p", portal, "-T", s.IQN, "-I", s.iface()}
		for _, verb := range [][]string{{"--logout"}, {"-o", "delete"}} {
			out, err := a.admin(ctx, append(node, verb...)...)
			if err != nil && !exited(err, sessionNotFound, nothingToDo) {
				return fmt.Errorf("iscsi: %s of %s at %s: %w", strings.TrimLeft(verb[len(verb)-1], "-"), s.IQN, portal, said(err, out))
			}
		}
	}
	return a.dropInterface(ctx)
}

// shared tells whether another disk uses the sessions of s: what there is a record of counts.
func (m *Manager) shared(s *ISCSI, name string) (bool, error) {
	names, err := m.names()
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if n == name {
			continue
		}
		other, err := m.recall(n)
		if err != nil {
			return false, err
		}
		if other != nil && other.ISCSI != nil && other.ISCSI.IQN == s.IQN && slices.ContainsFunc(other.ISCSI.Portals, func(p string) bool { return slices.Contains(s.Portals, p) }) {
			return true, nil
		}
	}
	return false, nil
}

// busy tells whether somebody uses a device of a target: the host may have disks of its own there, of which
// there is no record, and a logout takes them away, mounted or not.
func (h Host) busy(iqn string) bool {
	for _, s := range h.targetSessions(iqn) {
		devices, _ := filepath.Glob(filepath.Join(s.dir, "target*", "*", "block", "*"))
		for _, d := range devices {
			if idle(filepath.Join(h.Dev, filepath.Base(d))) != nil {
				return true
			}
		}
	}
	return false
}

// transport is what an interface's record says that it speaks.
func transport(shown string) (string, error) {
	for line := range strings.Lines(shown) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "iface.transport_name = "); ok {
			if name == "<empty>" {
				return "tcp", nil
			}
			return name, nil
		}
	}
	return "", errors.New("it names no transport")
}

// clone makes an interface of the initiator's name, like the one that was shown.
func (a *login) clone(ctx context.Context, shown string) error {
	if a.iface() == a.Interface {
		return fmt.Errorf("iscsi: cannot clone iface with same name: %s", a.Interface)
	}
	settings := map[string]string{}
	for line := range strings.Lines(shown) {
		f := strings.Fields(line)
		if len(f) == 0 || !strings.HasPrefix(f[0], "iface.") || strings.Contains(line, "<empty>") || f[0] == "iface.iscsi_ifacename" {
			continue
		}
		if len(f) != 3 || f[1] != "=" {
			return fmt.Errorf("iscsi: failed to parse iface records: error: invalid iface setting: %v", f)
		}
		settings[f[0]] = f[2]
	}
	settings["iface.initiatorname"] = a.InitiatorName
	if out, err := a.admin(ctx, "-m", "iface", "-I", a.iface(), "-o", "new"); err != nil && !exited(err, sessionExists) {
		return fmt.Errorf("iscsi: failed to create new iface: %w", said(err, out))
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		// One that sessions use cannot be changed, and need not.
		if out, err := a.admin(ctx, "-m", "iface", "-I", a.iface(), "-o", "update", "-n", key, "-v", settings[key]); err != nil && !exited(err, sessionExists) {
			_ = a.dropInterface(ctx)
			return fmt.Errorf("iscsi: failed to update iface records: %w", said(err, out))
		}
	}
	return nil
}

// dropInterface removes the copy that clone made.
func (a *login) dropInterface(ctx context.Context) error {
	if a.InitiatorName == "" {
		return nil
	}
	out, err := a.admin(ctx, "-m", "iface", "-I", a.iface(), "-o", "delete")
	if err != nil && !exited(err, sessionNotFound, nothingToDo) {
		return fmt.Errorf("iscsi: failed to delete iface: %w", said(err, out))
	}
	return nil
}

// session is where the kernel shows a session with a target.
type session struct {
	host string // host3
	dir  string
}

// targetSessions are the sessions with a target.
func (h Host) targetSessions(iqn string) []session {
	var out []session
	base := filepath.Join(h.Sys, "class", "iscsi_host")
	hosts, _ := os.ReadDir(base)
	for _, host := range hosts {
		device := filepath.Join(base, host.Name(), "device")
		entries, _ := os.ReadDir(device)
		for _, e := range entries {
			dir := filepath.Join(device, e.Name())
			if strings.HasPrefix(e.Name(), "session") && line(filepath.Join(dir, "iscsi_session", e.Name(), "targetname")) == iqn {
				out = append(out, session{host.Name(), dir})
			}
		}
	}
	return out
}

// sessions are the SCSI hosts of a target's sessions, by portal.
func (h Host) sessions(iqn string) map[string]string {
	out := map[string]string{}
	for _, s := range h.targetSessions(iqn) {
		entries, _ := os.ReadDir(s.dir)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), "connection") {
				continue
			}
			at := filepath.Join(s.dir, e.Name(), "iscsi_connection", e.Name())
			for _, kind := range []string{"", "persistent_"} {
				address, port := line(filepath.Join(at, kind+"address")), line(filepath.Join(at, kind+"port"))
				if address != "" && port != "" {
					out[net.JoinHostPort(address, port)] = s.host
				}
			}
		}
	}
	return out
}

// lunDevices are the devices of a LUN of a target, one for each session.
func (h Host) lunDevices(iqn string, lun int32) []string {
	var out []string
	for _, s := range h.targetSessions(iqn) {
		number := strings.TrimPrefix(s.host, "host")
		dir := filepath.Join(s.dir, fmt.Sprintf("target%s:0:0", number), fmt.Sprintf("%s:0:0:%d", number, lun), "block")
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			out = append(out, filepath.Join(h.Dev, e.Name()))
		}
	}
	return out
}

// line is what a file of the kernel's says; "" if it cannot be read.
func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
