package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman/engine"
)

// Host is one Podman host of the lab.
type Host struct {
	Name string `json:"name"` // the node's name: h1, h2, …
	Addr string `json:"addr"` // its address on the lab's bridge
	dir  string
	lab  *Lab
}

// Netns is the name of the host's network namespace.
func (h *Host) Netns() string { return "skerry-" + h.lab.Name + "-" + h.Name }
func (h *Host) veth() string  { return "sk" + h.lab.Name + h.Name }

// Socket is the path of the host's Podman API.
func (h *Host) Socket() string { return filepath.Join(h.dir, "podman.sock") }

// AgentDir is where the host's agent keeps its files.
func (h *Host) AgentDir() string { return filepath.Join(h.dir, "agent", "agent") }

// engine is this host's Podman: roots and a namespace of its own.
func (h *Host) engine() engine.Options {
	return engine.Options{Socket: h.Socket(), Dir: h.dir, ImageStore: h.lab.imageRoot(), Netns: "/run/netns/" + h.Netns(), Conf: h.lab.conf(), Registries: h.lab.registries()}
}

// Podman runs a podman command on the host, past the agent, and returns its output.
func (h *Host) Podman(args ...string) (string, error) {
	argv, env := h.engine().Args(args...)
	return run("env", append(env, argv...)...)
}

// up makes the namespace, its link to the bridge, and starts Podman's service.
func (h *Host) up() error {
	if err := os.MkdirAll(filepath.Join(h.dir, "agent"), 0o755); err != nil {
		return err
	}
	if err := h.engine().Prepare(); err != nil {
		return err
	}
	if err := steps("ip netns add " + h.Netns()); err != nil {
		return fmt.Errorf("make host %s: %w", h.Name, err)
	}
	if err := h.plug(); err != nil {
		return fmt.Errorf("make host %s: %w", h.Name, err)
	}
	return h.startPodman()
}

// plug connects the host to the lab's bridge.
func (h *Host) plug() error {
	ns, veth := h.Netns(), h.veth()
	return steps(
		"ip link add "+veth+" type veth peer name eth0 netns "+ns,
		"ip link set "+veth+" master "+h.lab.bridge()+" up",
		"ip -n "+ns+" addr add "+h.Addr+"/24 dev eth0",
		"ip -n "+ns+" link set eth0 up",
		"ip -n "+ns+" link set lo up",
		"ip -n "+ns+" route add default via "+h.lab.gateway(),
		"nsenter --net=/run/netns/"+ns+" sysctl -qw net.ipv4.ip_forward=1",
	)
}

func (h *Host) startPodman() error {
	argv, env := h.engine().ServiceArgs()
	p := h.lab.proc(h.Name+"-podman", argv...)
	p.Env = env
	if err := p.spawn(h.lab.Dir); err != nil {
		return err
	}
	return waitFor(10*time.Second, "Podman of "+h.Name, func() error {
		if !engine.Answers(h.Socket()) {
			return errors.New("nobody answers on " + h.Socket())
		}
		return nil
	})
}

// PowerOff is a power cut: agent, Podman and containers die at once, and the link goes.
func (h *Host) PowerOff() error {
	_, cut := run("ip", "link", "del", h.veth())
	return errors.Join(cut,
		h.lab.Kill(h.Name+"-agent"), h.lab.Kill(h.Name+"-podman"), h.killContainers(),
		mount.Unmount(h.AgentDir())) // what was in memory is lost
}

// PowerOn brings the host back after PowerOff, as it was on disk.
func (h *Host) PowerOn() error {
	if err := h.plug(); err != nil {
		return err
	}
	if err := h.startPodman(); err != nil {
		return err
	}
	return h.StartAgent()
}

// killContainers ends the host's containers; their monitors end with them.
func (h *Host) killContainers() error {
	if _, err := os.Stat(filepath.Join(h.dir, "root")); err != nil {
		return nil
	}
	_, err := h.Podman("kill", "--all")
	return err
}

// down removes the host's pods, processes, namespace and link.
func (h *Host) down() error {
	var errs []error
	if _, err := os.Stat("/run/netns/" + h.Netns()); err == nil {
		_, e1 := h.Podman("pod", "rm", "--all", "--force", "--time=0")
		_, e2 := h.Podman("rm", "--all", "--force", "--time=0")
		errs = append(errs, e1, e2)
	}
	errs = append(errs, h.lab.stopProc(h.Name+"-podman"))
	// What monitors a session of exec stays for minutes, and keeps the namespace and its link.
	if _, err := os.Stat("/sys/class/net/" + h.veth()); err == nil {
		_, err := run("ip", "link", "del", h.veth())
		errs = append(errs, err)
	}
	if _, err := os.Stat("/run/netns/" + h.Netns()); err == nil {
		_, err := run("ip", "netns", "del", h.Netns())
		errs = append(errs, err)
	}
	errs = append(errs, mount.Unmount(h.AgentDir()))
	// Podman leaves its overlay's own mount behind.
	_, _ = run("umount", filepath.Join(h.dir, "root", "overlay"))
	return errors.Join(errs...)
}

// waitFor polls f, for things that give no notice, until it succeeds or time is up.
func waitFor(limit time.Duration, what string, f func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s not ready after %s: %w", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
