//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ISCSI is a LUN of an iSCSI target. The host's iscsiadm speaks with it, asked as the kubelet
// asks it (pkg/volume/iscsi).
type ISCSI struct {
	Portals []string `json:"portals"` // host:port each, the first one first
	IQN     string   `json:"iqn"`
	LUN     int32    `json:"lun"`
	// Interface is one that the host has; with an initiator's name, a copy of it is used.
	Interface     string            `json:"interface"`
	InitiatorName string            `json:"initiatorName,omitempty"`
	Volume        string            `json:"volume,omitempty"` // part of the copy's name
	DiscoveryCHAP bool              `json:"-"`
	SessionCHAP   bool              `json:"-"`
	Secret        map[string]string `json:"-"` // what iscsiadm calls the setting → its value
}

// Portal is a portal's address with its port.
func Portal(address string) string {
	if !strings.Contains(address, ":") {
		return address + ":3260"
	}
	return address
}

// iface is the interface that sessions are made on.
func (s *ISCSI) iface() string {
	if s.InitiatorName != "" {
		return s.Portals[0] + ":" + s.Volume
	}
	return s.Interface
}

func (s *ISCSI) identity() string {
	return fmt.Sprintf("%q %q %q %d", s.iface(), s.Portals[0], s.IQN, s.LUN)
}

const (
	// adminLimit bounds one call of iscsiadm; a login waits for a target that does not answer.
	adminLimit = 2 * time.Minute
	// attempts is how often portals of a disk with several are tried, if one has answered.
	attempts = 5
	// enough paths of a disk with several portals are these, after enoughAttempts.
	enough         = 2
	enoughAttempts = 2
	// multipathPatience is how long a multipath device may take to appear.
	multipathPatience = 10 * time.Second
)

// Exit codes of iscsiadm(8).
const (
	sessionNotFound = 2
	sessionExists   = 15
	nothingToDo     = 21
)

// attach logs in at the target's portals, and finds the disk's device.
func (s *ISCSI) attach(ctx context.Context, m *Manager) (string, error) {
	if strings.ContainsAny(s.IQN+strings.Join(s.Portals, ""), "/\x00") {
		return "", fmt.Errorf("iscsi: %q at %q is no name of a target", s.IQN, s.Portals)
	}
	a := &login{ISCSI: s, Host: &m.Host}
	out, err := a.admin(ctx, "-m", "iface", "-I", s.Interface, "-o", "show")
	if err != nil {
		return "", fmt.Errorf("iscsi: could not read iface %s: %w", s.Interface, said(err, out))
	}
	if a.transport, err = transport(out); err != nil {
		return "", fmt.Errorf("iscsi: could not parse iface file for %s: %w", s.Interface, err)
	}
	if s.InitiatorName != "" {
		if err := a.clone(ctx, out); err != nil {
			return "", err
		}
	}
	// Disks of one target share its sessions: one logs in or out at a time.
	unlock, err := m.locks.acquire(ctx, "target "+s.IQN)
	if err != nil {
		return "", err
	}
	defer unlock()
	found, err := a.paths(ctx)
	if err != nil {
		return "", err
	}
	return a.device(ctx, found), nil
}

// login is one try to attach a disk.
type login struct {
	*ISCSI
	*Host
	transport string
}

func (a *login) admin(ctx context.Context, args ...string) (string, error) {
	return a.run(ctx, adminLimit, "iscsiadm", args...)
}

// said adds what a program printed to its error.
func said(err error, out string) error {
	if out == "" {
		return err
	}
	return fmt.Errorf("%s (%w)", out, err)
}

// paths logs in at all portals and returns the devices that appear, by portal. Some of several are
// enough after a while.
func (a *login) paths(ctx context.Context) ([]string, error) {
	found, last := map[string]string{}, error(nil)
	for try := 1; try <= attempts; try++ {
		for _, portal := range a.Portals {
			if found[portal] != "" {
				continue
			}
			path, err := a.path(ctx, portal)
			if err != nil {
				last = err
				continue
			}
			found[portal] = path
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(found) == 0 {
			_ = a.dropInterface(ctx)
			return nil, fmt.Errorf("failed to get any path for iscsi disk, last err seen:\n%w", last)
		}
		if len(found) == len(unique(a.Portals)) || len(found) >= enough && try >= enoughAttempts {
			break
		}
	}
	var out []string
	for _, portal := range unique(a.Portals) {
		if found[portal] != "" {
			out = append(out, found[portal])
		}
	}
	return out, nil
}

func unique(portals []string) []string {
	var out []string
	for _, p := range portals {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// path logs in at one portal, if there is no session yet, and waits for the disk.
func (a *login) path(ctx context.Context, portal string) (string, error) {
	host, ok := a.sessions(a.IQN)[portal]
	if !ok {
		if err := a.login(ctx, portal); err != nil {
			return "", err
		}
		if host, ok = a.sessions(a.IQN)[portal]; !ok {
			return "", fmt.Errorf("could not get SCSI host number for portal %s after logging in", portal)
		}
	}
	if err := tell(filepath.Join(a.Sys, "class", "scsi_host", host, "scan"), fmt.Sprintf("0 0 %d", a.LUN)); err != nil {
		return "", fmt.Errorf("scan %s for LUN %d: %w", host, a.LUN, err)
	}
	var path string
	if !await(ctx, a.Patience, func() bool { path = a.link(portal); return path != "" }) {
		return "", fmt.Errorf("timed out waiting for device at path %s after %v", a.linkName(portal), a.Patience)
	}
	return path, nil
}

// linkName is udev's name of the disk's device at a portal: there, addresses of IPv6 have no brackets.
func (a *login) linkName(portal string) string {
	return fmt.Sprintf("ip-%s-iscsi-%s-lun-%d", strings.NewReplacer("[", "", "]", "").Replace(portal), a.IQN, a.LUN)
}

// link is the path of the disk's device at a portal; "" while there is none. With other transports
// than TCP, the name begins with that of a PCI device.
func (a *login) link(portal string) string {
	dir := filepath.Join(a.Dev, "disk", "by-path")
	entries, _ := os.ReadDir(dir)
	name := a.linkName(portal)
	for _, e := range entries {
		before, ok := strings.CutSuffix(e.Name(), name)
		if ok && (a.transport == "tcp" && before == "" || a.transport != "tcp" && strings.HasPrefix(before, "pci-") && strings.HasSuffix(before, "-")) {
			return filepath.Join(dir, e.Name())
		}
	}
	return ""
}

// login discovers the target and logs in at one portal.
func (a *login) login(ctx context.Context, portal string) error {
	discovery := []string{"-m", "discoverydb", "-t", "sendtargets", "-p", portal, "-I", a.iface()}
	node := []string{"-m", "node", "-p", portal, "-T", a.IQN, "-I", a.iface()}
	if out, err := a.admin(ctx, append(discovery, "-o", "new")...); errors.As(err, new(*MissingError)) {
		return said(err, out)
	}
	if a.DiscoveryCHAP {
		if err := a.authenticate(ctx, discovery, "discovery.sendtargets.auth."); err != nil {
			return fmt.Errorf("iscsi: failed to update discoverydb to portal %s error: %w", portal, err)
		}
	}
	if out, err := a.admin(ctx, append(discovery, "--discover")...); err != nil {
		_, _ = a.admin(ctx, append(discovery, "-o", "delete")...)
		return fmt.Errorf("iscsi: failed to sendtargets to portal %s output: %s, err %w", portal, out, err)
	}
	// The kernel finds only the LUN that it is asked for. Older iscsiadm does not know the setting.
	_, _ = a.admin(ctx, append(node, "-o", "update", "-n", "node.session.scan", "-v", "manual")...)
	if a.SessionCHAP {
		if err := a.authenticate(ctx, node, "node.session.auth."); err != nil {
			return fmt.Errorf("iscsi: failed to update iscsi node to portal %s error: %w", portal, err)
		}
	}
	if out, err := a.admin(ctx, append(node, "--login")...); err != nil && !exited(err, sessionExists) {
		_, _ = a.admin(ctx, append(node, "-o", "delete")...)
		return fmt.Errorf("iscsi: failed to attach disk: Error: %s (%w)", out, err)
	}
	// A host that boots does not wait for the target.
	_, _ = a.admin(ctx, "-m", "node", "-p", portal, "-T", a.IQN, "-o", "update", "-n", "node.startup", "-v", "manual")
	return nil
}

// authenticate sets what CHAP needs in the record that args name. Values are told to nobody else.
func (a *login) authenticate(ctx context.Context, args []string, prefix string) error {
	if out, err := a.admin(ctx, append(args, "-o", "update", "-n", prefix+"authmethod", "-v", "CHAP")...); err != nil {
		return fmt.Errorf("iscsi: failed to update with CHAP, output: %w", said(err, out))
	}
	for _, key := range []string{"username", "password", "username_in", "password_in"} {
		value := a.Secret[prefix+key]
		if value == "" {
			continue
		}
		if out, err := a.admin(ctx, append(args, "-o", "update", "-n", prefix+key, "-v", value)...); err != nil {
			return fmt.Errorf("iscsi: failed to update key %q error: %w", prefix+key, said(err, strings.ReplaceAll(out, value, "…")))
		}
	}
	return nil
}

// device is the multipath device over paths, or the first of them. One portal has seldom one: that is
// looked for once.
func (a *login) device(ctx context.Context, paths []string) string {
	patience := time.Duration(0)
	if len(a.Portals) > 1 {
		patience = min(multipathPatience, a.Patience)
	}
	dm := ""
	await(ctx, patience, func() bool {
		for _, p := range paths {
			if device, err := a.block(p); err == nil {
				if dm = a.multipath(device); dm != "" {
					return true
				}
			}
		}
		return false
	})
	if dm != "" {
		return dm
	}
	return paths[0]
}
