package describe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// containers writes a section of containers; statuses may be nil (a template).
func (p *page) containers(level int, title string, cs []corev1.Container, statuses []corev1.ContainerStatus) {
	if len(cs) == 0 {
		return
	}
	p.line(level, "%s:", title)
	for i := range cs {
		c := &cs[i]
		// kubectl indents the name of a template's container by one space.
		if statuses == nil {
			p.line(level, " %s:", c.Name)
		} else {
			p.line(level+1, "%s:", c.Name)
		}
		var st *corev1.ContainerStatus
		if i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name }); i >= 0 {
			st = &statuses[i]
		}
		p.container(level+2-boolInt(statuses == nil), c, st)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *page) container(level int, c *corev1.Container, st *corev1.ContainerStatus) {
	if st != nil {
		p.field(level, "Container ID", st.ContainerID)
	}
	p.field(level, "Image", c.Image)
	if st != nil {
		p.field(level, "Image ID", st.ImageID)
	}
	p.ports(level, c.Ports)
	p.lines(level, "Command", c.Command)
	p.lines(level, "Args", c.Args)
	if st != nil {
		p.state(level, "State", st.State)
		if st.LastTerminationState.Terminated != nil {
			p.state(level, "Last State", st.LastTerminationState)
		}
		p.field(level, "Ready", title(st.Ready))
		p.field(level, "Restart Count", st.RestartCount)
	}
	p.resources(level, "Limits", c.Resources.Limits)
	p.resources(level, "Requests", c.Resources.Requests)
	p.probe(level, "Liveness", c.LivenessProbe)
	p.probe(level, "Readiness", c.ReadinessProbe)
	p.probe(level, "Startup", c.StartupProbe)
	p.environment(level, c)
	var mounts []string
	for _, m := range c.VolumeMounts {
		mode := "rw"
		if m.ReadOnly {
			mode = "ro"
		}
		sub := ""
		if m.SubPath != "" {
			sub = fmt.Sprintf(",path=%q", m.SubPath)
		}
		mounts = append(mounts, fmt.Sprintf("%s from %s (%s%s)", m.MountPath, m.Name, mode, sub))
	}
	p.section(level, "Mounts", mounts)
}

func title(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func (p *page) ports(level int, ports []corev1.ContainerPort) {
	var inside, outside []string
	for _, c := range ports {
		name := ""
		if c.Name != "" {
			name = " (" + c.Name + ")"
		}
		inside = append(inside, fmt.Sprintf("%d/%s%s", c.ContainerPort, c.Protocol, name))
		outside = append(outside, fmt.Sprintf("%d/%s%s", c.HostPort, c.Protocol, name))
	}
	s := "s"
	if len(ports) < 2 {
		s = ""
	}
	p.field(level, "Port"+s, strings.Join(inside, ", "))
	p.field(level, "Host Port"+s, strings.Join(outside, ", "))
}

// lines writes a list of strings, one a line, or nothing.
func (p *page) lines(level int, key string, values []string) {
	if len(values) == 0 {
		return
	}
	p.line(level, "%s:", key)
	for _, v := range values {
		for line := range strings.SplitSeq(strings.TrimSuffix(v, "\n"), "\n") {
			p.line(level+1, "%s", line)
		}
	}
}

// section writes lines under a key, or "key: <none>".
func (p *page) section(level int, key string, values []string) {
	if len(values) == 0 {
		p.field(level, key, "")
		return
	}
	p.line(level, "%s:", key)
	for _, v := range values {
		p.line(level+1, "%s", v)
	}
}

func (p *page) state(level int, key string, s corev1.ContainerState) {
	switch {
	case s.Running != nil:
		p.field(level, key, "Running")
		p.field(level+1, "Started", stamp(s.Running.StartedAt))
	case s.Terminated != nil:
		t := s.Terminated
		p.field(level, key, "Terminated")
		if t.Reason != "" {
			p.field(level+1, "Reason", t.Reason)
		}
		if t.Message != "" {
			p.field(level+1, "Message", t.Message)
		}
		p.field(level+1, "Exit Code", t.ExitCode)
		if t.Signal > 0 {
			p.field(level+1, "Signal", t.Signal)
		}
		p.field(level+1, "Started", stamp(t.StartedAt))
		p.field(level+1, "Finished", stamp(t.FinishedAt))
	default:
		p.field(level, key, "Waiting")
		if s.Waiting != nil && s.Waiting.Reason != "" {
			p.field(level+1, "Reason", s.Waiting.Reason)
		}
	}
}

func (p *page) resources(level int, key string, r corev1.ResourceList) {
	if len(r) == 0 {
		return
	}
	p.line(level, "%s:", key)
	for _, name := range slices.Sorted(maps.Keys(r)) {
		q := r[name]
		p.field(level+1, string(name), q.String())
	}
}

func (p *page) probe(level int, key string, pr *corev1.Probe) {
	if pr == nil {
		return
	}
	how := "unknown"
	switch {
	case pr.Exec != nil:
		how = fmt.Sprintf("exec %v", pr.Exec.Command)
	case pr.HTTPGet != nil:
		how = fmt.Sprintf("http-get %s://%s:%s%s", strings.ToLower(string(pr.HTTPGet.Scheme)), pr.HTTPGet.Host, pr.HTTPGet.Port.String(), pr.HTTPGet.Path)
	case pr.TCPSocket != nil:
		how = fmt.Sprintf("tcp-socket %s:%s", pr.TCPSocket.Host, pr.TCPSocket.Port.String())
	case pr.GRPC != nil:
		how = fmt.Sprintf("grpc <pod>:%d", pr.GRPC.Port)
	}
	p.field(level, key, fmt.Sprintf("%s delay=%ds timeout=%ds period=%ds #success=%d #failure=%d", how,
		pr.InitialDelaySeconds, pr.TimeoutSeconds, pr.PeriodSeconds, pr.SuccessThreshold, pr.FailureThreshold))
}

func (p *page) environment(level int, c *corev1.Container) {
	if len(c.EnvFrom) > 0 {
		p.line(level, "Environment Variables from:")
		for _, e := range c.EnvFrom {
			name, kind, opt := "", "", false
			if e.ConfigMapRef != nil {
				name, kind, opt = e.ConfigMapRef.Name, "ConfigMap", e.ConfigMapRef.Optional != nil && *e.ConfigMapRef.Optional
			} else if e.SecretRef != nil {
				name, kind, opt = e.SecretRef.Name, "Secret", e.SecretRef.Optional != nil && *e.SecretRef.Optional
			}
			p.line(level+1, "%s\t%s\tOptional: %t", name, kind, opt)
		}
	}
	if len(c.Env) == 0 {
		p.field(level, "Environment", "")
		return
	}
	p.line(level, "Environment:")
	for _, e := range c.Env {
		p.field(level+1, e.Name, variable(e))
	}
}

func variable(e corev1.EnvVar) string {
	f := e.ValueFrom
	switch {
	case f == nil:
		return strings.ReplaceAll(e.Value, "\n", "\\n")
	case f.FieldRef != nil:
		return fmt.Sprintf(" (%s:%s)", f.FieldRef.APIVersion, f.FieldRef.FieldPath)
	case f.ResourceFieldRef != nil:
		return fmt.Sprintf(" (%s)", f.ResourceFieldRef.Resource)
	case f.ConfigMapKeyRef != nil:
		return fmt.Sprintf("<set to the key '%s' of config map '%s'>", f.ConfigMapKeyRef.Key, f.ConfigMapKeyRef.Name)
	case f.SecretKeyRef != nil:
		return fmt.Sprintf("<set to the key '%s' in secret '%s'>", f.SecretKeyRef.Key, f.SecretKeyRef.Name)
	}
	return ""
}
