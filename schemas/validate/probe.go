package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// probes checks a container's three probes. Only readiness may ask for several
// successes, and only the others may end the container.
func (r *podRules) probes(p *field.Path, c *v1.Container) field.ErrorList {
	errs := slices.Concat(
		r.killingProbe(p.Child("livenessProbe"), c.LivenessProbe),
		r.probe(p.Child("readinessProbe"), c.ReadinessProbe),
		r.killingProbe(p.Child("startupProbe"), c.StartupProbe),
	)
	if c.ReadinessProbe != nil && c.ReadinessProbe.TerminationGracePeriodSeconds != nil {
		errs = append(errs, field.Invalid(p.Child("readinessProbe", "terminationGracePeriodSeconds"),
			*c.ReadinessProbe.TerminationGracePeriodSeconds, "must not be set for readinessProbes"))
	}
	return errs
}

func (r *podRules) killingProbe(p *field.Path, probe *v1.Probe) field.ErrorList {
	if probe == nil {
		return nil
	}
	once := when(probe.SuccessThreshold != 1, field.Invalid(p.Child("successThreshold"), probe.SuccessThreshold, "must be 1"))
	return append(r.probe(p, probe), once...)
}

func (r *podRules) probe(p *field.Path, probe *v1.Probe) field.ErrorList {
	if probe == nil {
		return nil
	}
	errs := slices.Concat(
		r.handler(p, handler{exec: probe.Exec, http: probe.HTTPGet, tcp: probe.TCPSocket, grpc: probe.GRPC}),
		nonNegative(p.Child("initialDelaySeconds"), probe.InitialDelaySeconds),
		nonNegative(p.Child("timeoutSeconds"), probe.TimeoutSeconds),
		nonNegative(p.Child("periodSeconds"), probe.PeriodSeconds),
		nonNegative(p.Child("successThreshold"), probe.SuccessThreshold),
		nonNegative(p.Child("failureThreshold"), probe.FailureThreshold),
	)
	if n := probe.TerminationGracePeriodSeconds; n != nil && *n <= 0 {
		errs = append(errs, field.Invalid(p.Child("terminationGracePeriodSeconds"), *n, "must be greater than 0"))
	}
	return errs
}

// handler is what a probe or a hook does.
type handler struct {
	exec  *v1.ExecAction
	http  *v1.HTTPGetAction
	tcp   *v1.TCPSocketAction
	grpc  *v1.GRPCAction
	sleep *v1.SleepAction
}

// handler asks for exactly one action, and checks it.
func (r *podRules) handler(p *field.Path, h handler) field.ErrorList {
	return exactlyOne(p, "must specify a handler type", "may not specify more than 1 handler type", []member{
		{"exec", h.exec != nil, func(p *field.Path) field.ErrorList {
			return when(len(h.exec.Command) == 0, field.Required(p.Child("command"), mustBeSet))
		}},
		{"httpGet", h.http != nil, func(p *field.Path) field.ErrorList { return httpGet(p, h.http) }},
		{"tcpSocket", h.tcp != nil, func(p *field.Path) field.ErrorList { return portOrName(p.Child("port"), h.tcp.Port) }},
		{"grpc", h.grpc != nil, func(p *field.Path) field.ErrorList {
			return portOrName(p.Child("port"), intstr.FromInt32(h.grpc.Port))
		}},
		{"sleep", h.sleep != nil, func(p *field.Path) field.ErrorList { return r.sleep(p, h.sleep.Seconds) }},
	})
}

func (r *podRules) sleep(p *field.Path, seconds int64) field.ErrorList {
	grace := r.spec.TerminationGracePeriodSeconds
	if grace == nil {
		return nil // reported where it is missing
	}
	return when(seconds < 0 || seconds > *grace, field.Invalid(p, seconds,
		fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *grace)))
}

func httpGet(p *field.Path, h *v1.HTTPGetAction) field.ErrorList {
	errs := slices.Concat(
		need(p, "path", h.Path),
		portOrName(p.Child("port"), h.Port),
		oneOf(p.Child("scheme"), h.Scheme, v1.URISchemeHTTP, v1.URISchemeHTTPS),
	)
	for i, header := range h.HTTPHeaders {
		errs = append(errs, faults(p.Child("httpHeaders").Index(i).Child("name"), header.Name, validation.IsHTTPHeaderName(header.Name))...)
	}
	return errs
}

// lifecycle checks the hooks and the signal that stops the container.
func (r *podRules) lifecycle(p *field.Path, l *v1.Lifecycle) field.ErrorList {
	if l == nil {
		return nil
	}
	var errs field.ErrorList
	hook := func(name string, h *v1.LifecycleHandler) {
		if h != nil {
			errs = append(errs, r.handler(p.Child(name), handler{exec: h.Exec, http: h.HTTPGet, tcp: h.TCPSocket, sleep: h.Sleep})...)
		}
	}
	hook("postStart", l.PostStart)
	hook("preStop", l.PreStop)
	if l.StopSignal != nil {
		errs = append(errs, r.stopSignal(p.Child("stopSignal"), *l.StopSignal)...)
	}
	return errs
}

// linuxSignals are the signals that may stop a container, but for the real-time ones.
const linuxSignals = `SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT
	SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP
	SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ`

func (r *podRules) stopSignal(p *field.Path, s v1.Signal) field.ErrorList {
	if r.spec.OS == nil || r.spec.OS.Name == "" {
		return field.ErrorList{field.Forbidden(p, "may not be set for containers with empty `spec.os.name`")}
	}
	if strings.HasPrefix(string(s), "SIGRTM") {
		return nil
	}
	var known []v1.Signal
	for _, name := range strings.Fields(linuxSignals) {
		known = append(known, v1.Signal(name))
	}
	if r.spec.OS.Name == v1.Windows {
		known = []v1.Signal{v1.SIGKILL, v1.SIGTERM}
	}
	return oneOf(p, s, known...)
}
