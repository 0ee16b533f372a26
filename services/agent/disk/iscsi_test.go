//go:build linux

package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// This host's kernel knows no iSCSI. A program in place of iscsiadm keeps records and sessions as files
// below the rig's directory: what it shows in sys and dev is what the kernel and udev would.

// target is what is at the other end.
type target struct {
	IQN     string
	Portals []string
	LUNs    map[int]string    // devices
	CHAP    map[string]string // settings that a session needs
	Down    []string          // portals that do not answer
}

func (g *rig) target(t target) {
	g.Helper()
	b, err := json.Marshal(t)
	g.must(err)
	g.write("target.json", string(b))
	self, err := os.Executable()
	g.must(err)
	if err := os.Symlink(self, g.path("programs/iscsiadm")); !errors.Is(err, os.ErrExist) {
		g.must(err)
	}
	g.write("db/iface/default", "iface.iscsi_ifacename = default\niface.transport_name = tcp\niface.initiatorname = <empty>\n")
}

// iscsiadm is the program. Its exit codes are those of the real one.
func iscsiadm(dir string, args []string) int {
	log, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(log, strings.Join(args, " "))
		_ = log.Close()
	}
	a := &admin{dir: dir, opt: map[string]string{}}
	for i := 0; i < len(args); i++ {
		if strings.HasPrefix(args[i], "--") {
			a.opt["-o"] = args[i]
			continue
		}
		if i++; i < len(args) {
			a.opt[args[i-1]] = args[i]
		}
	}
	b, _ := os.ReadFile(filepath.Join(dir, "target.json"))
	if err := json.Unmarshal(b, &a.target); err != nil {
		return 1
	}
	return a.do()
}

type admin struct {
	dir    string
	opt    map[string]string
	target target
}

func (a *admin) record() string {
	switch a.opt["-m"] {
	case "iface":
		return filepath.Join(a.dir, "db", "iface", a.opt["-I"])
	case "discoverydb":
		return filepath.Join(a.dir, "db", "discovery", a.opt["-p"])
	}
	return filepath.Join(a.dir, "db", "node", a.opt["-p"]+","+a.opt["-T"])
}

func (a *admin) do() int {
	at := a.record()
	text, err := os.ReadFile(at)
	switch a.opt["-o"] {
	case "show":
		if err != nil {
			return nothingToDo
		}
		fmt.Print(string(text))
	case "new":
		return a.put(at, "")
	case "update":
		if err != nil {
			return nothingToDo
		}
		return a.put(at, string(text)+a.opt["-n"]+" = "+a.opt["-v"]+"\n")
	case "delete":
		if os.Remove(at) != nil {
			return nothingToDo
		}
	case "--discover":
		if err != nil || !slices.Contains(a.target.Portals, a.opt["-p"]) || slices.Contains(a.target.Down, a.opt["-p"]) {
			fmt.Println("iscsiadm: connect to", a.opt["-p"], "failed (No route to host)")
			return 4
		}
		return a.put(filepath.Join(a.dir, "db", "node", a.opt["-p"]+","+a.target.IQN), "")
	case "--login":
		return a.login(string(text), err)
	case "--logout":
		return a.logout()
	}
	return 0
}

func (a *admin) put(at, text string) int {
	if os.MkdirAll(filepath.Dir(at), 0o700) != nil || os.WriteFile(at, []byte(text), 0o600) != nil {
		return 1
	}
	return 0
}

// host is the number of the session with a portal.
func (a *admin) host() int { return 5 + slices.Index(a.target.Portals, a.opt["-p"]) }

func (a *admin) session() string {
	n := fmt.Sprint(a.host())
	return filepath.Join(a.dir, "sys/class/iscsi_host/host"+n+"/device/session"+n)
}

func (a *admin) link(lun int) string {
	return filepath.Join(a.dir, "dev/disk/by-path", fmt.Sprintf("ip-%s-iscsi-%s-lun-%d", strings.NewReplacer("[", "", "]", "").Replace(a.opt["-p"]), a.target.IQN, lun))
}

func (a *admin) login(record string, err error) int {
	if err != nil || a.opt["-T"] != a.target.IQN {
		fmt.Println("iscsiadm: No records found")
		return nothingToDo
	}
	for k, v := range a.target.CHAP {
		if !strings.Contains(record, k+" = "+v+"\n") {
			fmt.Println("iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)")
			return 24
		}
	}
	n, s := fmt.Sprint(a.host()), a.session()
	if _, err := os.Stat(s); err == nil {
		return sessionExists
	}
	colon := strings.LastIndex(a.opt["-p"], ":")
	address, port := strings.Trim(a.opt["-p"][:colon], "[]"), a.opt["-p"][colon+1:]
	connection := s + "/connection" + n + ":0/iscsi_connection/connection" + n + ":0/"
	rc := a.put(s+"/iscsi_session/session"+n+"/targetname", a.target.IQN+"\n") + a.put(connection+"address", address) + a.put(connection+"port", port) +
		a.put(filepath.Join(a.dir, "sys/class/scsi_host/host"+n+"/scan"), "")
	for lun, device := range a.target.LUNs {
		block := fmt.Sprintf("%s/target%s:0:0/%s:0:0:%d/block/%s", s, n, n, lun, filepath.Base(device))
		if os.MkdirAll(block, 0o755) != nil || os.Symlink(device, a.link(lun)) != nil {
			rc++
		}
	}
	return rc
}

func (a *admin) logout() int {
	if _, err := os.Stat(a.session()); err != nil {
		fmt.Println("iscsiadm: No matching sessions found")
		return nothingToDo
	}
	for lun := range a.target.LUNs {
		_ = os.Remove(a.link(lun))
	}
	_ = os.RemoveAll(filepath.Dir(filepath.Dir(a.session())))
	return 0
}

const iqn = "iqn.2001-04.com.example:disk"

func lun(n int32, portals ...string) Disk {
	return Disk{ISCSI: &ISCSI{Portals: portals, IQN: iqn, LUN: n, Interface: "default", Volume: "v"}}
}

// sessions is how many sessions there are.
func (g *rig) sessions() int {
	entries, _ := os.ReadDir(g.path("sys/class/iscsi_host"))
	return len(entries)
}

// TestISCSI: two disks of a target share its session, which ends with the last of them.
func TestISCSI(t *testing.T) {
	g := newRig(t)
	one, two := g.device(), g.device()
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: one, 3: two}})
	g.must(g.mount(lun(0, Portal("10.0.0.1")), g.pod("a")))
	g.must(g.mount(lun(3, "10.0.0.1:3260"), g.pod("b")))
	if n := g.sessions(); n != 1 || g.file("sys/class/scsi_host/host5/scan") != "0 0 3" {
		t.Errorf("%d sessions, scan %q", n, g.file("sys/class/scsi_host/host5/scan"))
	}
	record := g.file("db/node/10.0.0.1:3260," + iqn)
	if !strings.Contains(record, "node.session.scan = manual\n") || !strings.Contains(record, "node.startup = manual\n") {
		t.Errorf("the node's record: %s", record)
	}
	if calls := g.file("calls"); strings.Count(calls, "--login") != 1 {
		t.Errorf("called with:\n%s", calls)
	}
	g.leave(g.pod("a"))
	g.start() // the agent starts anew: the other disk's record tells of the session
	g.settled()
	if g.sessions() != 1 || g.file("sys/block/"+filepath.Base(one)+"/device/delete") != "1" || g.file("sys/block/"+filepath.Base(two)+"/device/delete") != "" {
		t.Errorf("one disk is left: %d sessions", g.sessions())
	}
	g.leave(g.pod("b"))
	g.settled()
	g.settled()
	entries, _ := os.ReadDir(g.path("db/node"))
	if g.sessions() != 0 || len(entries) != 0 || g.mounts() != 0 {
		t.Errorf("no disk is left: %d sessions, %v", g.sessions(), entries)
	}
}

// TestSessionOfTheHost: a session that the host uses for a disk of its own stays, also if a pod's disk is let go of.
func TestSessionOfTheHost(t *testing.T) {
	g := newRig(t)
	own, pods := g.device(), g.device()
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: pods, 1: own}})
	g.format(own, "ext4")
	at := g.path("srv")
	g.must(os.Mkdir(at, 0o700))
	g.must(unix.Mount(own, at, "ext4", 0, ""))
	g.must(g.mount(lun(0, "10.0.0.1:3260"), g.pod("a")))
	g.leave(g.pod("a"))
	g.settled()
	left, err := g.names()
	g.must(err)
	if g.sessions() != 1 || g.file("sys/block/"+filepath.Base(pods)+"/device/delete") != "1" || g.file("sys/block/"+filepath.Base(own)+"/device/delete") != "" || len(left) != 0 {
		t.Errorf("%d sessions, records %v", g.sessions(), left)
	}
	g.must(unix.Unmount(at, 0))
	g.must(g.mount(lun(0, "10.0.0.1:3260"), g.pod("b")))
	g.leave(g.pod("b"))
	g.settled()
	if g.sessions() != 0 {
		t.Errorf("nobody uses it: %d sessions", g.sessions())
	}
}

// TestRecordThatWasLost: a power cut can leave an empty record; who uses the disk next makes it again, and the
// disk is let go of.
func TestRecordThatWasLost(t *testing.T) {
	g := newRig(t)
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: g.device()}})
	d := lun(0, "10.0.0.1:3260")
	g.write("disks/"+d.name()+"/disk.json", "")
	g.must(g.mount(d, g.pod("a")))
	g.leave(g.pod("a"))
	g.settled()
	if left, err := g.names(); err != nil || len(left) != 0 || g.sessions() != 0 {
		t.Errorf("left: %v, %v, %d sessions", left, err, g.sessions())
	}
}

// TestPortals: a disk is reached by those of its portals that answer, and by the multipath device over them.
func TestPortals(t *testing.T) {
	g := newRig(t)
	device, over := g.device(), g.device()
	all := []string{"10.0.0.1:3260", "[fd00::2]:3261", "10.0.0.3:3260"}
	g.target(target{IQN: iqn, Portals: all, LUNs: map[int]string{0: device}, Down: all[2:]})
	g.must(os.Symlink(over, g.path("dev/dm-0")))
	g.write("sys/block/dm-0/slaves/"+filepath.Base(device), "")
	g.program("multipath", "exit 0")
	g.must(g.mount(lun(0, all...), g.pod("a")))
	if g.sessions() != 2 {
		t.Errorf("%d sessions, want 2", g.sessions())
	}
	if has, _ := g.Host.format(t.Context(), over); has != "ext4" {
		t.Errorf("the multipath device holds %q", has)
	}
	g.leave(g.pod("a"))
	g.settled()
	if g.sessions() != 0 {
		t.Errorf("%d sessions are left", g.sessions())
	}
}

// TestCHAP: a target that asks who is there is told what the secret says, and neither a record nor an
// error repeats it.
func TestCHAP(t *testing.T) {
	g := newRig(t)
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: g.device()},
		CHAP: map[string]string{"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "me", "node.session.auth.password": "s3cret"}})
	d := lun(0, "10.0.0.1:3260")
	if err := g.mount(d, g.pod("a")); err == nil || !strings.Contains(err.Error(), "authorization failure") {
		t.Errorf("without a secret: %v", err)
	}
	d.ISCSI.SessionCHAP, d.ISCSI.DiscoveryCHAP = true, true
	d.ISCSI.Secret = map[string]string{"node.session.auth.username": "me", "node.session.auth.password": "wr0ng", "discovery.sendtargets.auth.username": "it"}
	if err := g.mount(d, g.pod("a")); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("with a wrong one: %v", err)
	}
	d.ISCSI.Secret["node.session.auth.password"] = "s3cret"
	g.must(g.mount(d, g.pod("a")))
	if found := g.file("db/discovery/10.0.0.1:3260"); !strings.Contains(found, "discovery.sendtargets.auth.username = it\n") {
		t.Errorf("discovery: %s", found)
	}
	if record := g.file("disks/" + d.name() + "/disk.json"); strings.Contains(record, "s3cret") {
		t.Errorf("the record holds the secret: %s", record)
	}
}

// TestInitiatorName: sessions of another name are made on an interface of the volume's own, which goes too.
func TestInitiatorName(t *testing.T) {
	g := newRig(t)
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: g.device()}})
	d := lun(0, "10.0.0.1:3260")
	d.ISCSI.InitiatorName = "iqn.1994-05.com.example:me"
	g.must(g.mount(d, g.pod("a")))
	if own := g.file("db/iface/10.0.0.1:3260:v"); !strings.Contains(own, "iface.initiatorname = iqn.1994-05.com.example:me\n") || !strings.Contains(own, "iface.transport_name = tcp\n") {
		t.Errorf("the interface: %s", own)
	}
	g.leave(g.pod("a"))
	g.settled()
	if entries, _ := os.ReadDir(g.path("db/iface")); len(entries) != 1 {
		t.Errorf("interfaces: %v", entries)
	}
}

// TestTargetThatFails: what stands in the way is told, and what was begun is undone.
func TestTargetThatFails(t *testing.T) {
	g := newRig(t)
	if err := g.mount(lun(0, "10.0.0.1:3260"), g.pod("a")); err == nil || !strings.Contains(err.Error(), "this host has no iscsiadm; install open-iscsi") {
		t.Errorf("without the program: %v", err)
	}
	g.must(g.forget((new(lun(0, "10.0.0.1:3260"))).name()))
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: g.device()}, Down: []string{"10.0.0.1:3260"}})
	var e *Error
	if err := g.mount(lun(0, "10.0.0.1:3260"), g.pod("a")); !errors.As(err, &e) || e.Step != "WaitForAttach" || !strings.Contains(err.Error(), "No route to host") {
		t.Errorf("a portal that does not answer: %v", err)
	}
	g.target(target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUNs: map[int]string{0: g.device()}})
	if err := g.mount(lun(7, "10.0.0.1:3260"), g.pod("a")); err == nil || !strings.Contains(err.Error(), "timed out waiting for device at path ip-10.0.0.1:3260-iscsi-"+iqn+"-lun-7") {
		t.Errorf("a LUN that is not there: %v", err)
	}
	hostile := lun(0, "10.0.0.1:3260")
	hostile.ISCSI.IQN = "iqn.2001-04.com.example:/../../../sda"
	if err := g.mount(hostile, g.pod("a")); err == nil || !strings.Contains(err.Error(), "is no name of a target") {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
	g.settled()
	g.settled()
	if left, _ := g.names(); len(left) != 0 || g.sessions() != 0 {
		t.Errorf("left: %v, %d sessions", left, g.sessions())
	}
}
