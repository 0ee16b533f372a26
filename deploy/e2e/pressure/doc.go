// Package pressure tests what a node does that runs short, on one real Podman host whose
// disk the test fills.
package pressure
