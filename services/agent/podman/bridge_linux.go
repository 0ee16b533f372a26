package podman

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// keepAddress sets the interface's hardware address to what it is: from then on it is
// one that was set, and the kernel does not choose another (dev_set_mac_address).
func keepAddress(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep address of %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	r, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("keep address of %s: %w", name, err)
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, r)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCSIFHWADDR, r)
	}
	if err != nil {
		return fmt.Errorf("keep address of %s: %w", name, err)
	}
	return nil
}
