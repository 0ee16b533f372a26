package podman

import "github.com/skerry/skerry/services/agent/cgroup"

// Deafen has d do without the kernel's log. Call it before anything else.
func (d *Driver) Deafen() { d.cgroups = cgroup.NewTracker("") }
