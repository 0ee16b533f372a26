//go:build linux

package up

import (
	"net"
	"strings"
)

// loopback tells whether only this machine can reach the URL.
func loopback(url string) bool {
	_, host, _ := splitURL(url)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reachable puts host in place of "all addresses" in a URL that a server listens on.
func reachable(url, host string) string {
	scheme, have, port := splitURL(url)
	ip := net.ParseIP(have)
	if host == "" || ip == nil || !ip.IsUnspecified() {
		return url
	}
	return scheme + net.JoinHostPort(host, port)
}

func splitURL(url string) (scheme, host, port string) {
	i := strings.Index(url, "://")
	if i < 0 {
		return "", "", ""
	}
	host, port, err := net.SplitHostPort(url[i+3:])
	if err != nil {
		return "", "", ""
	}
	return url[:i+3], host, port
}

// routedAddress is this machine's address on the way to others, "" if it has none. A
// UDP "connection" asks the kernel for the route and sends nothing.
func routedAddress() string {
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return ""
	}
	defer c.Close()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return ""
	}
	return host
}
