package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/engine"
)

// Options are what a lab is made of.
type Options struct {
	// Name is two to four letters or digits: it is part of device names.
	Name string
	// Subnet is the third octet of the lab's network 10.98.<Subnet>.0/24.
	Subnet int
	// Dir holds everything; it should be short (a socket's path has 107 bytes) and absolute.
	Dir string
	// Binary is the skerry binary to run.
	Binary string
	// Hosts is the number of Podman hosts.
	Hosts int
	// AgentArgs are further arguments for every agent.
	AgentArgs []string
	// RootCA has every namespace hold the authority of the HTTP API, in a ConfigMap.
	RootCA bool
}

// Lab is a running lab.
type Lab struct {
	Options
	Hosts []*Host
	Procs []*proc
}

// The processes of the control plane, in the order in which they start.
var controlPlane = []string{"apiserver", "controller", "scheduler"}

func (l *Lab) bridge() string  { return "sk" + l.Name }
func (l *Lab) gateway() string { return fmt.Sprintf("10.98.%d.1", l.Subnet) }
func (l *Lab) gatewayMAC() string {
	return fmt.Sprintf("0a:58:0a:62:%02x:01", l.Subnet)
}
func (l *Lab) imageRoot() string { return filepath.Join(l.Dir, "images") }
func (l *Lab) conf() string      { return filepath.Join(l.Dir, "containers.conf") }

func (l *Lab) registries() string { return filepath.Join(l.Dir, "registries.conf") }

// Registry is where the hosts look for a registry without TLS, should a test serve one.
func (l *Lab) Registry() string { return l.gateway() + ":5000" }

// URL is where the bus listens.
func (l *Lab) URL() string { return "nats://" + l.gateway() + ":4222" }

// Creds is the path of a credentials file: admin, apiserver, controller, scheduler, h1, ….
func (l *Lab) Creds(name string) string { return filepath.Join(l.Dir, "creds", name+".creds") }

// Start makes the lab and returns when its services run (nodes may not be ready
// yet). On failure everything is removed.
func Start(ctx context.Context, o Options) (l *Lab, err error) {
	l = &Lab{Options: o}
	for _, d := range []string{"log", "creds", "images"} {
		if err := os.MkdirAll(filepath.Join(l.Dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Stop())
		}
	}()
	for i := range o.Hosts {
		name := "h" + itoa(i+1)
		l.Hosts = append(l.Hosts, &Host{Name: name, Addr: fmt.Sprintf("10.98.%d.%d", l.Subnet, i+11), dir: filepath.Join(l.Dir, name), lab: l})
	}
	if err := l.save(); err != nil {
		return l, err
	}
	if err := os.WriteFile(l.conf(), []byte(engine.Settings()), 0o644); err != nil {
		return l, err
	}
	plain := fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", l.Registry())
	if err := os.WriteFile(l.registries(), []byte(plain), 0o644); err != nil {
		return l, err
	}
	if err := steps(
		// A bridge without an address of its own takes a port's: a host that is powered
		// off would change it, and the others would talk to the old one for a while.
		"ip link add "+l.bridge()+" address "+l.gatewayMAC()+" type bridge",
		"ip addr add "+l.gateway()+"/24 dev "+l.bridge(),
		"ip link set "+l.bridge()+" up",
	); err != nil {
		return l, err
	}
	if err := l.mintCreds(); err != nil {
		return l, err
	}
	if err := l.StartBus(); err != nil {
		return l, err
	}
	if err := l.StartControlPlane(); err != nil {
		return l, err
	}
	for _, h := range l.Hosts {
		if err := h.up(); err != nil {
			return l, err
		}
		if err := h.StartAgent(); err != nil {
			return l, err
		}
	}
	return l, ctx.Err()
}

// mintCreds makes the authority and everyone's credentials.
func (l *Lab) mintCreds() error {
	a, err := identity.Load(filepath.Join(l.Dir, "bus"))
	if err != nil {
		return err
	}
	who := map[string]struct {
		role identity.Role
		user bus.User
	}{
		"admin": {identity.RoleAdmin, "admin"}, "apiserver": {identity.RoleAPIServer, "system:apiserver"},
		"controller": {identity.RoleController, "system:controller"}, "scheduler": {identity.RoleScheduler, "system:scheduler"},
		"gateway": {identity.RoleGateway, "system:gateway"},
	}
	for name, w := range who {
		if err := l.mint(a, name, w.role, w.user); err != nil {
			return err
		}
	}
	for _, h := range l.Hosts {
		if err := l.mint(a, h.Name, identity.RoleNode, bus.NodeUser(schemas.NodeName(h.Name))); err != nil {
			return err
		}
	}
	context := fmt.Sprintf("current-context: %[1]s\ncontexts:\n- name: %[1]s\n  server: %[2]s\n  user: admin\n  credentials: %[3]s\n",
		l.Name, l.URL(), l.Creds("admin"))
	return os.WriteFile(l.Config(), []byte(context), 0o600)
}

func (l *Lab) mint(a *identity.Authority, name string, role identity.Role, user bus.User) error {
	b, err := a.Credentials(role, user)
	if err != nil {
		return err
	}
	return os.WriteFile(l.Creds(name), b, 0o600)
}

// Config is the path of a command line configuration whose context is this lab.
func (l *Lab) Config() string { return filepath.Join(l.Dir, "config.yaml") }

// Fetch is a program that gets a page, for use inside a host's namespace.
func (l *Lab) Fetch() string { return filepath.Join(l.Dir, "fetch") }

// StartBus starts the NATS server as a process of its own and returns when it listens.
func (l *Lab) StartBus() error {
	address := l.gateway() + ":4222"
	p := l.proc("bus", l.Binary, "serve", "bus", "--data-dir", filepath.Join(l.Dir, "bus"), "--listen", address)
	if err := errors.Join(p.spawn(l.Dir), l.save()); err != nil {
		return err
	}
	return awaitListener(address)
}

// busStart is how long the bus may take to listen.
const busStart = 30 * time.Second

// awaitListener returns when somebody listens at address.
func awaitListener(address string) error {
	for end := time.Now().Add(busStart); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("wait for the bus: %w", err)
		}
	}
}

// StartControlPlane starts apiserver, controller and scheduler, each a process.
func (l *Lab) StartControlPlane() error {
	if l.RootCA {
		if err := l.makeAuthority(); err != nil {
			return err
		}
	}
	for _, s := range controlPlane {
		args := []string{l.Binary, "serve", s, "--nats", l.URL(), "--creds", l.Creds(s)}
		if s == "controller" && l.RootCA {
			args = append(args, "--root-ca-file", l.Authority())
		}
		if err := l.proc(s, args...).spawn(l.Dir); err != nil {
			return err
		}
	}
	return l.save()
}

// StartAgent starts the host's agent, in the host's namespace.
func (h *Host) StartAgent() error {
	l := h.lab
	args := []string{"nsenter", "--net=/run/netns/" + h.Netns(), l.Binary, "serve", "agent",
		"--nats", l.URL(), "--creds", l.Creds(h.Name), "--node", h.Name,
		"--podman-socket", h.Socket(), "--data-dir", filepath.Join(h.dir, "agent")}
	return errors.Join(l.proc(h.Name+"-agent", append(args, l.AgentArgs...)...).spawn(l.Dir), l.save())
}

// proc returns the lab's process of that name, new or to be started again.
func (l *Lab) proc(name string, args ...string) *proc {
	for _, p := range l.Procs {
		if p.Name == name {
			p.Args = args
			return p
		}
	}
	p := &proc{Name: name, Args: args}
	l.Procs = append(l.Procs, p)
	return p
}

// Kill sends SIGKILL to a process by its name: bus, apiserver, h1-agent, ….
func (l *Lab) Kill(names ...string) error {
	var errs []error
	for _, p := range l.Procs {
		if slices.Contains(names, p.Name) && p.alive() {
			errs = append(errs, syscall.Kill(p.Pid, syscall.SIGKILL))
		}
	}
	for _, p := range l.Procs {
		if slices.Contains(names, p.Name) {
			errs = append(errs, p.signal(syscall.SIGKILL, 5*time.Second))
		}
	}
	return errors.Join(errs...)
}

// KillControlPlane kills every control-plane process and the bus at once.
func (l *Lab) KillControlPlane() error { return l.Kill(append([]string{"bus"}, controlPlane...)...) }

func (l *Lab) stopProc(name string) error {
	for _, p := range l.Procs {
		if p.Name == name {
			return p.stop()
		}
	}
	return nil
}

// Stop removes everything that the lab made. It goes on after errors.
func (l *Lab) Stop() error {
	var errs []error
	for _, h := range l.Hosts {
		errs = append(errs, l.stopProc(h.Name+"-agent"))
	}
	for _, s := range append(append([]string{"gateway"}, controlPlane...), "bus") {
		errs = append(errs, l.stopProc(s))
	}
	for _, h := range l.Hosts {
		errs = append(errs, h.down())
	}
	if _, err := os.Stat("/sys/class/net/" + l.bridge()); err == nil {
		_, err := run("ip", "link", "del", l.bridge())
		errs = append(errs, err)
	}
	_, _ = run("umount", filepath.Join(l.imageRoot(), "overlay"))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.RemoveAll(l.Dir)
}

func stateFile(dir string) string { return filepath.Join(dir, "lab.json") }

// save records what there is to remove.
func (l *Lab) save() error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(stateFile(l.Dir), b, 0o644)
}

// Open returns the lab whose directory is dir, as another process left it.
func Open(dir string) (*Lab, error) {
	b, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, err
	}
	l := &Lab{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("read %s: %w", stateFile(dir), err)
	}
	for _, h := range l.Hosts {
		h.lab, h.dir = l, filepath.Join(dir, h.Name)
	}
	return l, nil
}

// Status tells of every process whether it runs.
func (l *Lab) Status() []string {
	var out []string
	for _, p := range l.Procs {
		state := "ended"
		if p.alive() {
			state = "running"
		}
		out = append(out, fmt.Sprintf("%-14s %-8s pid %d", p.Name, state, p.Pid))
	}
	return out
}

// Pid is the process of a service, such as "h1-agent"; 0 if it is not one of the lab's.
func (l *Lab) Pid(name string) int {
	for _, p := range l.Procs {
		if p.Name == name {
			return p.Pid
		}
	}
	return 0
}
