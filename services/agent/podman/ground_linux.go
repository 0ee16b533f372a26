package podman

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hostNetwork opens the network namespace of the Podman that answers at socket. It is unfit
// if this process could not prepare namespaces for it.
func hostNetwork(socket string) (*os.File, error) {
	if os.Geteuid() != 0 {
		return nil, unfit("the agent is not root")
	}
	pid, err := peer(socket)
	if err != nil {
		return nil, fmt.Errorf("find podman's process: %w", err)
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, fmt.Errorf("read own mount namespace: %w", err)
	}
	if podmans, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid)); err != nil || podmans != own {
		return nil, unfit("Podman does not see the agent's mounts")
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, unfit("Podman's network namespace cannot be entered: " + err.Error())
	}
	return f, nil
}

// peer is the process that listens at a unix socket.
func peer(path string) (int, error) {
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return int(cred.Pid), nil
}
