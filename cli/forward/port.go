package forward

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/cli/failure"
)

// port is a local port, 0 for any, and the pod's that it leads to.
type port struct{ local, remote uint16 }

// parsePorts reads "8080", "80:8080", ":8080" and names of the pod's ports in place of numbers. With
// svc they are the service's ports, which lead to the pod's.
func parsePorts(p *corev1.Pod, svc *corev1.Service, args []string) ([]port, error) {
	var out []port
	for _, a := range args {
		local, to, two := strings.Cut(a, ":")
		if !two {
			to = local
		}
		r, err := strconv.ParseUint(to, 10, 16)
		if err != nil && svc == nil {
			if r = named(p, to); r == 0 {
				return nil, failure.Usage("error parsing remote port %q of %q: pod %s has no port of that name", to, a, p.Name)
			}
		}
		l := r
		if svc != nil {
			if l, r, err = through(p, svc, to, r); err != nil {
				return nil, err
			}
		}
		if r == 0 {
			return nil, failure.Usage("remote port must be > 0")
		}
		if two && local == "" {
			l = 0
		} else if two {
			if l, err = strconv.ParseUint(local, 10, 16); err != nil {
				return nil, failure.Usage("error parsing local port %q of %q: it must be a number below 65536", local, a)
			}
		}
		out = append(out, port{uint16(l), uint16(r)})
	}
	return out, nil
}

// through finds the service's port called text, or n if that is its number, and the pod's that it
// leads to. A headless service has no other ports than the pod's.
func through(p *corev1.Pod, svc *corev1.Service, text string, n uint64) (own, pods uint64, err error) {
	for i := range svc.Spec.Ports {
		sp := &svc.Spec.Ports[i]
		own = uint64(sp.Port)
		if own != n && (n != 0 || sp.Name != text) {
			continue
		}
		switch {
		case svc.Spec.ClusterIP == corev1.ClusterIPNone:
			return own, own, nil
		case sp.TargetPort.Type == intstr.String:
			if pods = named(p, sp.TargetPort.StrVal); pods == 0 {
				return 0, 0, fmt.Errorf("Pod '%s' does not have a named port '%s'", p.Name, sp.TargetPort.StrVal)
			}
			return own, pods, nil
		case sp.TargetPort.IntVal == 0:
			return own, own, nil
		}
		return own, uint64(sp.TargetPort.IntVal), nil
	}
	if n == 0 {
		return 0, 0, fmt.Errorf("Service '%s' does not have a named port '%s'", svc.Name, text)
	}
	return 0, 0, fmt.Errorf("Service %s does not have a service port %d", svc.Name, n)
}

func named(p *corev1.Pod, name string) uint64 {
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == name && name != "" {
				return uint64(cp.ContainerPort)
			}
		}
	}
	return 0
}

// address is where to listen. A spare one may fail: not every machine has IPv6.
type address struct {
	network, ip string
	spare       bool
}

func resolve(names []string) []address {
	var out []address
	for _, n := range names {
		ip := net.ParseIP(n)
		switch {
		case n == "localhost":
			out = append(out, address{"tcp4", "127.0.0.1", false}, address{"tcp6", "::1", true})
		case ip != nil && ip.To4() == nil:
			out = append(out, address{"tcp6", n, false})
		default:
			out = append(out, address{"tcp4", n, false})
		}
	}
	return out
}
