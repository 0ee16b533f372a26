package engine

import "syscall"

// childOf makes a process that ends with this one, out of reach of a terminal's Ctrl-C.
func childOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
