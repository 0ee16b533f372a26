//go:build !linux

package engine

import "syscall"

// childOf has no way to tie a child's life to this process elsewhere than on Linux.
func childOf() *syscall.SysProcAttr { return nil }
