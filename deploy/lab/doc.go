// Package lab runs a whole Skerry cluster on one machine: a bus, the control
// plane's services and several Podman hosts, each host in its own network
// namespace with its own Podman root and agent, every service a process of its
// own. People play with it, and the end-to-end tests break it.
//
// It needs root, Podman and iproute2. Everything it makes is named after the lab
// and recorded in its directory, so that Stop removes it all, also after a crash
// of the process that started it.
package lab
