//go:build !linux

package cgroup

// kernelLog is empty: containers run on Linux.
type kernelLog struct{ path string }

func (l *kernelLog) open() bool { return false }

func (l *kernelLog) drain(func(string)) {}
