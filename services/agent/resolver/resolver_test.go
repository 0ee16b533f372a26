package resolver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func pod(s v1.PodSpec) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u"}, Spec: s}
}

func TestHosts(t *testing.T) {
	aliases := []v1.HostAlias{{IP: "192.0.2.1", Hostnames: []string{"a", "b.c"}}, {IP: "::2", Hostnames: []string{"d"}}}
	const added = "\n# Entries added by HostAliases.\n192.0.2.1\ta\tb.c\n::2\td\n"
	for name, c := range map[string]struct {
		spec v1.PodSpec
		n    Names
		want string
	}{
		"plain":   {v1.PodSpec{}, Names{Host: "p"}, hostsHead + "10.0.0.1\tp\nfd00::1\tp\n"},
		"domain":  {v1.PodSpec{HostAliases: aliases}, Names{"p", "s.ns.svc.x"}, hostsHead + "10.0.0.1\tp.s.ns.svc.x\tp\nfd00::1\tp.s.ns.svc.x\tp\n" + added},
		"host":    {v1.PodSpec{HostNetwork: true}, Names{Host: "p"}, "# Kubernetes-managed hosts file (host network).\n127.0.0.1 h\n"},
		"aliases": {v1.PodSpec{HostNetwork: true, HostAliases: aliases}, Names{Host: "p"}, "# Kubernetes-managed hosts file (host network).\n127.0.0.1 h\n" + added},
	} {
		if got := string(hosts(pod(c.spec), c.n, []string{"10.0.0.1", "fd00::1"}, []byte("127.0.0.1 h"))); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestResolv(t *testing.T) {
	host := parse([]byte("# mine\n; too\nsearch old\nnameserver 192.0.2.53\nnameserver\nsearch example.com. .\noptions timeout:2\n"))
	cluster := Cluster{Domain: "cluster.local", Servers: []string{"10.96.0.10"}}
	const usual, own = "search example.com .\nnameserver 192.0.2.53\noptions timeout:2\n",
		"search ns.svc.cluster.local svc.cluster.local cluster.local example.com .\nnameserver 10.96.0.10\noptions ndots:5\n"
	config := &v1.PodDNSConfig{Nameservers: []string{"1.1.1.1", "192.0.2.53"}, Searches: []string{"x", "example.com"},
		Options: []v1.PodDNSConfigOption{{Name: "timeout", Value: new("9")}, {Name: "edns0"}, {Name: "ndots", Value: new("")}}}
	many := &v1.PodDNSConfig{Nameservers: []string{"1.1.1.1", "1.1.1.2", "1.1.1.3"}}
	for i := range 40 {
		many.Searches = append(many.Searches, fmt.Sprint("s", i))
	}
	long := &v1.PodDNSConfig{Nameservers: []string{"1.1.1.1"}}
	for i := range 9 {
		long.Searches = append(long.Searches, strings.Repeat("x", 250)+fmt.Sprint(i))
	}
	first := strings.Join(many.Searches[:30], " ")
	for name, c := range map[string]struct {
		spec     v1.PodSpec
		cluster  Cluster
		want     string
		warnings string
	}{
		"no cluster DNS": {v1.PodSpec{DNSPolicy: v1.DNSClusterFirst}, Cluster{}, usual, "MissingClusterDNS"},
		"cluster":        {v1.PodSpec{DNSPolicy: v1.DNSClusterFirst}, cluster, own, ""},
		"host network":   {v1.PodSpec{DNSPolicy: v1.DNSClusterFirst, HostNetwork: true}, cluster, usual, ""},
		"with host":      {v1.PodSpec{DNSPolicy: v1.DNSClusterFirstWithHostNet, HostNetwork: true}, cluster, own, ""},
		"with none":      {v1.PodSpec{DNSPolicy: v1.DNSClusterFirstWithHostNet, HostNetwork: true}, Cluster{}, usual, "MissingClusterDNS"},
		"default":        {v1.PodSpec{DNSPolicy: v1.DNSDefault}, cluster, usual, ""},
		"none":           {v1.PodSpec{DNSPolicy: v1.DNSNone, DNSConfig: &v1.PodDNSConfig{Nameservers: []string{"1.1.1.1"}}}, cluster, "nameserver 1.1.1.1\n", ""},
		"added": {v1.PodSpec{DNSPolicy: v1.DNSDefault, DNSConfig: config}, cluster,
			"search example.com . x\nnameserver 192.0.2.53\nnameserver 1.1.1.1\noptions timeout:9 edns0 ndots\n", ""},
		"too many": {v1.PodSpec{DNSPolicy: v1.DNSDefault, DNSConfig: many}, cluster,
			"search example.com . " + first + "\nnameserver 192.0.2.53\nnameserver 1.1.1.1\nnameserver 1.1.1.2\noptions timeout:2\n", "DNSConfigForming DNSConfigForming"},
		"too long": {v1.PodSpec{DNSPolicy: v1.DNSNone, DNSConfig: long}, cluster,
			"search " + strings.Join(long.Searches[:8], " ") + "\nnameserver 1.1.1.1\n", "DNSConfigForming"},
	} {
		got, warnings := resolv(pod(c.spec), host, c.cluster)
		var reasons []string
		for _, w := range warnings {
			reasons = append(reasons, w.Reason)
		}
		if string(got) != c.want || strings.Join(reasons, " ") != c.warnings {
			t.Errorf("%s: got\n%s%v, want\n%s%s", name, got, warnings, c.want, c.warnings)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := &Files{Dir: filepath.Join(dir, "pods"), Hosts: filepath.Join(dir, "none"), Resolv: write("resolv", "nameserver 127.0.0.53\n"), Upstream: write("up", "nameserver 192.0.2.1\n")}
	p := pod(v1.PodSpec{DNSPolicy: v1.DNSDefault})
	c := &v1.Container{VolumeMounts: []v1.VolumeMount{{MountPath: "/etc/hosts/"}}}
	if ms, err := f.Mounts(p, c); err != nil || len(ms) != 1 || ms[0].Target != "/etc/resolv.conf" {
		t.Errorf("mounts %v, %v", ms, err)
	}
	ms, err := f.Mounts(p, &v1.Container{})
	if err != nil || len(ms) != 2 {
		t.Fatalf("mounts %v, %v", ms, err)
	}
	for _, step := range []struct {
		ip, upstream string
		hostNetwork  bool
		want         string
	}{{"10.0.0.1", "192.0.2.1", false, "10.0.0.1\tp\n"}, {"10.0.0.2", "192.0.2.1", false, "10.0.0.2\tp\n"}, {"10.0.0.2", "127.0.0.53", true, "(host network).\n"}} {
		p.Spec.HostNetwork = step.hostNetwork
		if _, err := f.Write(p, Names{Host: "p"}, []string{step.ip}); err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			text, err := os.ReadFile(m.Source)
			want := step.want
			if m.Target == "/etc/resolv.conf" {
				want = "nameserver " + step.upstream + "\n"
			}
			if err != nil || !strings.HasSuffix(string(text), want) {
				t.Errorf("%s is\n%s, %v", m.Target, text, err)
			}
		}
	}
	if err := f.Sweep(func(u types.UID) bool { return u == "u" }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ms[0].Source); err != nil {
		t.Error(err)
	}
	if err := f.Remove("u"); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []types.UID{"", "..", "a/b", "."} {
		p.UID = uid
		if _, err := f.Mounts(p, c); err == nil {
			t.Errorf("uid %q was taken", uid)
		}
		if err := f.Remove(uid); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(f.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
