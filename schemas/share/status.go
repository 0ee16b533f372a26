package share

import v1 "k8s.io/api/core/v1"

// Status has what s has in common with other statuses in memory once. Nobody may change that from
// then on.
func (p *Pool) Status(s *v1.PodStatus) {
	s.Conditions = p.Conditions(s.Conditions)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.StartTime = last(&p.started, s.StartTime)
	for i := range s.ContainerStatuses {
		p.shareState(&s.ContainerStatuses[i])
	}
	if len(s.HostIPs) != 1 {
		return
	}
	if known, ok := p.hosts.known([]byte(s.HostIPs[0].IP)); ok {
		s.HostIPs = known
	} else {
		p.hosts.put(s.HostIPs[0].IP, s.HostIPs)
	}
}

// shareState has what a container that runs says as another one did in memory once.
func (p *Pool) shareState(c *v1.ContainerStatus) {
	if c.Started != nil && *c.Started {
		c.Started = &yes
	} else if c.Started != nil {
		c.Started = &no
	}
	c.State.Running = last(&p.running, c.State.Running)
}

// last returns what is equal to v, if the last one was, and remembers it: pods come in the order
// in which they started, or nearly so.
func last[T comparable](was **T, v *T) *T {
	if v != nil && (*was == nil || **was != *v) {
		*was = v
	}
	if v == nil {
		return nil
	}
	return *was
}

var yes, no = true, false
