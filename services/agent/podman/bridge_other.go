//go:build !linux

package podman

// keepAddress does nothing: Podman's bridges are on Linux.
func keepAddress(string) error { return nil }
