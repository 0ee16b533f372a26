package forward

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/cli/failure"
)

// port is a local port, 0 for any, and the pod's that it leads to.
type port struct{ local, remote uint16 }

// parsePorts reads "8080", "80:8080", ":8080" and names of the pod's ports in place of numbers.
func parsePorts(p *corev1.Pod, args []string) ([]port, error) {
	var out []port
	for _, a := range args {
		local, to, two := strings.Cut(a, ":")
		if !two {
			to = local
		}
		r, err := strconv.ParseUint(to, 10, 16)
		if err != nil {
			if r = named(p, to); r == 0 {
				return nil, failure.Usage("error parsing remote port %q of %q: pod %s has no port of that name", to, a, p.Name)
			}
		}
		if r == 0 {
			return nil, failure.Usage("remote port must be > 0")
		}
		l := r
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
