package node

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/image"
)

// Disk is how full the file system of path is.
func Disk(path string) (image.Disk, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return image.Disk{}, fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	size := uint64(st.Bsize)
	return image.Disk{Total: st.Blocks * size, Free: uint64(st.Bavail) * size}, nil
}

// memoryTotal is the host's memory in bytes, 0 if it does not tell.
func memoryTotal() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

// system is what the host says it is; what it does not say is empty. With n.mu held.
func (n *Node) system() v1.NodeSystemInfo {
	info := machine()
	if info.OSImage = n.status.NodeInfo.OSImage; info.OSImage == "" || n.Now().Sub(n.posted) >= postEvery {
		info.OSImage = osImage()
	}
	return info
}

// machine is what cannot change while this process lives.
var machine = sync.OnceValue(func() v1.NodeSystemInfo {
	return v1.NodeSystemInfo{
		MachineID:     firstLine("/etc/machine-id"),
		SystemUUID:    strings.ToLower(firstLine("/sys/class/dmi/id/product_uuid")),
		BootID:        firstLine("/proc/sys/kernel/random/boot_id"),
		KernelVersion: firstLine("/proc/sys/kernel/osrelease"),
	}
})

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return strings.TrimSpace(string(line))
}

func osImage() string {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// addresses are the host's: the configured one, or those of the interface that
// has the default route, or of the first interface that is not the loopback.
func addresses(configured string) []string {
	if configured != "" {
		return []string{configured}
	}
	if name := defaultInterface(); name != "" {
		if i, err := net.InterfaceByName(name); err == nil {
			if ips := addressesOf(i); len(ips) > 0 {
				return ips
			}
		}
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		if ips := addressesOf(&i); len(ips) > 0 {
			return ips
		}
	}
	return []string{"127.0.0.1"} // a host of its own
}

// addressesOf are an interface's global addresses, at most one of each family, IPv4 first.
func addressesOf(i *net.Interface) []string {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var v4, v6 string
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		switch {
		case n.IP.To4() != nil && v4 == "":
			v4 = n.IP.String()
		case n.IP.To4() == nil && v6 == "":
			v6 = n.IP.String()
		}
	}
	var out []string
	for _, ip := range []string{v4, v6} {
		if ip != "" {
			out = append(out, ip)
		}
	}
	return out
}

// defaultInterface is the interface of the IPv4 default route with the lowest
// metric, "" if there is none. /proc/net is the calling process's network namespace.
func defaultInterface() string {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	best, name := int64(-1), ""
	for s := bufio.NewScanner(f); s.Scan(); {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask …
		p := strings.Fields(s.Text())
		if len(p) < 8 || p[1] != "00000000" || p[7] != "00000000" {
			continue
		}
		metric, err := strconv.ParseInt(p[6], 10, 64)
		if err == nil && (best < 0 || metric < best) {
			best, name = metric, p[0]
		}
	}
	return name
}

// HasAppArmor tells whether the kernel enforces AppArmor's profiles.
func HasAppArmor() bool { return firstLine("/sys/module/apparmor/parameters/enabled") == "Y" }
