package pod

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// untouched is a directory of the host, and a check that nothing was written to it.
func untouched(t *testing.T) (dir string, check func()) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "passwd"), []byte("root"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("the host was written to: %v %v", entries, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "passwd")); err != nil || string(b) != "root" {
			t.Errorf("a file of the host was written: %q %v", b, err)
		}
	}
}

// TestCVE20259566: what a container can put into a volume leads no later write out of it: not that of
// a sub-path for the next container, not that of a ConfigMap that is mounted there.
func TestCVE20259566(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	host, check := untouched(t)
	rig.Skerry(t, "", "create", "configmap", "passwd", "-n", ns, "--from-literal=passwd=owned")
	apply(t, ns, script("evil", sleep, `  volumes:
  - {name: v, emptyDir: {}}
  - {name: c, configMap: {name: passwd}}
  initContainers:
  - name: plant
    image: `+podmantest.Image+`
    imagePullPolicy: Never
    command: [/bin/busybox, sh, -c, "/bin/busybox ln -s `+host+` /v/out && /bin/busybox ln -s `+host+`/passwd /v/passwd"]
    volumeMounts: [{name: v, mountPath: /v}]`,
		`    volumeMounts:
    - {name: v, mountPath: /v}
    - {name: c, mountPath: /v/passwd, subPath: passwd}
    - {name: v, mountPath: /out, subPath: out/made}`))
	mountRefused(t, ns, "evil", "it leads out of the volume")
	check()
}

// mountRefused waits until the pod's container waits for something that says words.
func mountRefused(t *testing.T, ns, name, words string) {
	t.Helper()
	mountFailed(t, ns, name, "Failed", words)
}

// TestCVE202655686: an image's working directory that leads through a symlink is made in the
// container, where the image's own file system begins, and not on the host.
func TestCVE202655686(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	host, check := untouched(t)
	busybox, err := os.ReadFile(findBusybox(t))
	if err != nil {
		t.Fatal(err)
	}
	importImage(t, "evil-workdir:1", map[string]string{"bin/sh": string(busybox), "bin/pwd": "@sh", "bin/sleep": "@sh", "bin/ls": "@sh", "way": "@" + host},
		"WORKDIR /way/made/deep")
	apply(t, ns, strings.Replace(script("workdir", "pwd; "+sleep, "", ""), podmantest.Image, "localhost/evil-workdir:1", 1))
	running(t, ns, "workdir")
	check()
	if out := logs(t, ns, "workdir"); out != host+"/made/deep\n" {
		t.Errorf("it works in %q", out)
	}
	// A directory that is not there is made, as in Kubernetes.
	apply(t, ns, script("makes", "pwd; "+sleep, "", "    workingDir: /not/there/yet"))
	running(t, ns, "makes")
	if out := logs(t, ns, "makes"); out != "/not/there/yet\n" {
		t.Errorf("it works in %q", out)
	}
}

func findBusybox(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/bin", "/usr/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "busybox")); err == nil {
			return filepath.Join(dir, "busybox")
		}
	}
	t.Fatal("this test needs a static busybox")
	return ""
}
