//go:build unix && !linux

package up

import "syscall"

// childAttributes give a child its own process group.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
