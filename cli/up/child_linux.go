package up

import "syscall"

// childAttributes give a child its own process group, and end it with this process
// even when that is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
