// Package pod tests what single pods can ask for, on one real Podman host: apply a
// manifest with the command line, look at what runs. One file for each room of a pod's spec.
package pod
