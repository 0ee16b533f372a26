package pod

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// mountFailed waits until the pod has an event of reason that says all of words.
func mountFailed(t *testing.T, ns, name, reason string, words ...string) {
	t.Helper()
	rig.Eventually(t, name+": event "+reason, func() error {
		out := rig.Skerry(t, "", "events", "-n", ns, "-o", "json")
		for _, w := range append(words, reason) {
			if !strings.Contains(out, strings.ReplaceAll(w, `"`, `\"`)) {
				return fmt.Errorf("no %q in %s", w, out)
			}
		}
		return nil
	})
}

// shows waits until a command in the pod prints want.
func shows(t *testing.T, ns, name, want string, command ...string) {
	t.Helper()
	rig.Eventually(t, strings.Join(command, " "), func() error {
		out, err := rig.TrySkerry(t, "", append([]string{"exec", "-n", ns, name, "--"}, command...)...)
		if err != nil || out != want {
			return fmt.Errorf("printed %q, %v", out, err)
		}
		return nil
	})
}

// volumesOf is the directory of p's volumes on the host.
func volumesOf(t *testing.T, p *v1.Pod) string {
	t.Helper()
	dir := filepath.Join(rig.Hosts[0].AgentDir(), "pods", string(p.UID))
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mountsBelow are the host's mounts below dir.
func mountsBelow(t *testing.T, dir string) (out []string) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if at := strings.Fields(line)[4]; strings.HasPrefix(at, dir) {
			out = append(out, at)
		}
	}
	return out
}

// importImage makes an image in the host's own store: files by path, and "@target" is a
// symlink. changes are lines of a Containerfile.
func importImage(t *testing.T, name string, files map[string]string, changes ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for p, content := range files {
		h := &tar.Header{Name: p, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if to, ok := strings.CutPrefix(content, "@"); ok {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, to, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	if out, err := rig.Hosts[0].Podman(append(args, path, "localhost/"+name)...); err != nil {
		t.Fatal(err, out)
	}
}

func absent(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there: %v", path, err)
	}
	return nil
}

const sleep = "sleep 1000"

func TestEmptyDirs(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("empty", "trap 'exit 0' TERM; echo $(cat /disk/count)x >/disk/count; echo mem >/mem/f; test -f /disk/again || { >/disk/again; exit 1; }; "+sleep,
		`  volumes:
  - {name: disk, emptyDir: {}}
  - {name: mem, emptyDir: {medium: Memory, sizeLimit: 1Mi}}`,
		`    volumeMounts:
    - {name: disk, mountPath: /disk}
    - {name: mem, mountPath: /mem}
    - {name: disk, mountPath: /ro, readOnly: true}`))
	await(t, ns, "empty", "restarted", func(p *v1.Pod) bool {
		s := p.Status.ContainerStatuses
		return len(s) > 0 && s[0].RestartCount == 1 && s[0].State.Running != nil
	})
	shows(t, ns, "empty", "xx\n", "cat", "/disk/count") // it outlived the container
	shows(t, ns, "empty", "777 777\n", "/bin/sh", "-c", "echo $(stat -c %a /disk) $(stat -c %a /mem)")
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "empty", "--", "/bin/sh", "-c", "echo x >/ro/f"); err == nil || !strings.Contains(out, "Read-only file system") {
		t.Errorf("wrote where only reading is allowed: %s", out)
	}
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "empty", "--", "dd", "if=/dev/zero", "of=/mem/big", "bs=1k", "count=1500"); err == nil || !strings.Contains(out, "No space left on device") {
		t.Errorf("the tmpfs takes more than its limit: %v %s", err, out)
	}
}

func TestFilesOfConfigMapsAndSecrets(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, `apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: one, b: two, c: three}
binaryData: {bin: AAEC}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
stringData: {password: s3cret}
---
`+script("files", sleep, `  securityContext: {fsGroup: 1234}
  volumes:
  - {name: all, configMap: {name: conf}}
  - {name: some, configMap: {name: conf, defaultMode: 0400, items: [{key: b, path: deep/er/b}, {key: c, path: c, mode: 0755}]}}
  - {name: sec, secret: {secretName: sec, defaultMode: 0400}}
  - {name: none, configMap: {name: nowhere, optional: true}}
  - name: both
    projected:
      sources:
      - configMap: {name: conf, items: [{key: a, path: a}]}
      - secret: {name: sec}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: limit, resourceFieldRef: {containerName: main, resource: limits.memory, divisor: 1Mi}}]}`,
		`    resources: {limits: {memory: 64Mi}}
    volumeMounts:
    - {name: all, mountPath: /all}
    - {name: some, mountPath: /some}
    - {name: sec, mountPath: /sec}
    - {name: none, mountPath: /none}
    - {name: both, mountPath: /both}
    - {name: all, mountPath: /one/file, subPath: b}`))
	running(t, ns, "files")
	for command, want := range map[string]string{
		"ls /all":                           "a\nb\nbin\nc\n",
		"cat /all/a /some/deep/er/b":        "onetwo",
		"ls /some; ls /none":                "c\ndeep\n",
		"cat /sec/password /both/password":  "s3crets3cret",
		"cat /one/file":                     "two",
		"cat /both/limit":                   "64",
		"stat -Lc '%a %g' /all/a /some/c":   "644 1234\n755 1234\n",
		"stat -Lc '%a %g' /sec/password":    "440 1234\n",
		"echo x >/all/a || echo refused":    "refused\n",
		"stat -Lc %s /all/bin; ls -A /both": "3\n..2",
	} {
		out := rig.Skerry(t, "", "exec", "-n", ns, "files", "--", "/bin/sh", "-c", "("+command+") 2>/dev/null")
		if out != want && !(strings.HasSuffix(want, "..2") && strings.HasPrefix(out, want)) {
			t.Errorf("%s: printed %q, want %q", command, out, want)
		}
	}
}

func TestChangedObjectsReachTheFiles(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	cm := func(name, v string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {v: '" + v + "', w: '" + v + "'}\n---\n"
	}
	apply(t, ns, cm("conf", "1")+script("follow", sleep, `  volumes:
  - {name: v, configMap: {name: conf}}
  - {name: later, configMap: {name: later, optional: true}}
  - {name: labels, downwardAPI: {items: [{path: color, fieldRef: {fieldPath: "metadata.labels['color']"}}]}}`,
		`    volumeMounts:
    - {name: v, mountPath: /v}
    - {name: later, mountPath: /later}
    - {name: labels, mountPath: /labels}
    - {name: v, mountPath: /fixed, subPath: v}`))
	running(t, ns, "follow")
	shows(t, ns, "follow", "1", "cat", "/v/v")
	apply(t, ns, cm("conf", "2")+cm("later", "new"))
	shows(t, ns, "follow", "2", "cat", "/v/v")
	shows(t, ns, "follow", "new", "cat", "/later/v")
	shows(t, ns, "follow", "1", "cat", "/fixed") // a sub-path never follows
	rig.Skerry(t, "", "label", "-n", ns, "pod", "follow", "color=blue")
	shows(t, ns, "follow", "blue", "cat", "/labels/color")
	apply(t, ns, strings.Replace(cm("conf", "3"), ", w: '3'", "", 1))
	shows(t, ns, "follow", "v\n", "ls", "/v")
}

func TestPodWaitsForItsVolumes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("waits", sleep, `  volumes:
  - {name: conf, configMap: {name: late}}
  - {name: key, secret: {secretName: late, items: [{key: k, path: k}]}}`,
		"    volumeMounts: [{name: conf, mountPath: /conf}, {name: key, mountPath: /key}]"))
	mountFailed(t, ns, "waits", "FailedMount", `MountVolume.SetUp failed for volume "conf" : configmap "late" not found`,
		`MountVolume.SetUp failed for volume "key" : secret "late" not found`)
	if w := get(t, ns, "waits").Status.ContainerStatuses[0].State.Waiting; w == nil || w.Reason != "ContainerCreating" {
		t.Errorf("the container is %+v", w)
	}
	apply(t, ns, "apiVersion: v1\nkind: Secret\nmetadata: {name: late}\nstringData: {other: x}\n")
	mountFailed(t, ns, "waits", "FailedMount", "references non-existent secret key: k")
	rig.Skerry(t, "", "create", "configmap", "late", "-n", ns, "--from-literal=a=b")
	apply(t, ns, "apiVersion: v1\nkind: Secret\nmetadata: {name: late}\nstringData: {k: v}\n")
	running(t, ns, "waits")
	shows(t, ns, "waits", "bv", "cat", "/conf/a", "/key/k")
}

func TestHostPaths(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	dir := t.TempDir()
	apply(t, ns, script("host", "echo hello >/made/deep/f; "+sleep, fmt.Sprintf(`  volumes:
  - {name: made, hostPath: {path: %s/made/deep, type: DirectoryOrCreate}}
  - {name: file, hostPath: {path: %s/file, type: FileOrCreate}}
  - {name: dev, hostPath: {path: /dev/null, type: CharDevice}}`, dir, dir),
		`    volumeMounts:
    - {name: made, mountPath: /made/deep}
    - {name: file, mountPath: /file}
    - {name: made, mountPath: /follow, mountPropagation: HostToContainer}
    - {name: made, mountPath: /deaf, readOnly: true, recursiveReadOnly: Enabled}
    - {name: dev, mountPath: /null}`))
	running(t, ns, "host")
	shows(t, ns, "host", "hello\n", "cat", "/follow/f")
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "host", "--", "/bin/sh", "-c", "echo x >/deaf/g"); err == nil || !strings.Contains(out, "Read-only file system") {
		t.Errorf("wrote to a read-only mount: %s", out)
	}
	apply(t, ns, script("wrong", sleep, fmt.Sprintf(`  volumes:
  - {name: v, hostPath: {path: %s/file, type: Directory}}
  - {name: w, hostPath: {path: %s/nowhere, type: Socket}}`, dir, dir),
		"    volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}]"))
	mountFailed(t, ns, "wrong", "FailedMount", "hostPath type check failed: "+dir+"/file is not a directory", "hostPath "+dir+"/nowhere doesn't exist")
}

func TestSubPaths(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("subs", "echo x >/logs/f; "+sleep, "  volumes: [{name: v, emptyDir: {}}]",
		`    env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    volumeMounts:
    - {name: v, mountPath: /all}
    - {name: v, mountPath: /logs, subPathExpr: "logs/$(POD)"}`))
	running(t, ns, "subs")
	shows(t, ns, "subs", "x\n", "cat", "/all/logs/subs/f")
	apply(t, ns, script("missing", sleep, "  volumes: [{name: v, emptyDir: {}}]",
		`    volumeMounts: [{name: v, mountPath: /v, subPathExpr: "$(NOBODY)"}]`))
	p := await(t, ns, "missing", "config error", func(p *v1.Pod) bool {
		s := p.Status.ContainerStatuses
		return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == "CreateContainerConfigError"
	})
	if m := p.Status.ContainerStatuses[0].State.Waiting.Message; !strings.Contains(m, `missing value for "NOBODY"`) {
		t.Errorf("it says %s", m)
	}
}

func TestImageVolumes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	importImage(t, "model:1", map[string]string{"weights/w": "heavy"})
	apply(t, ns, script("image", sleep, "  volumes: [{name: v, image: {reference: localhost/model:1, pullPolicy: IfNotPresent}}]",
		"    volumeMounts: [{name: v, mountPath: /image}]"))
	running(t, ns, "image")
	shows(t, ns, "image", "heavy", "cat", "/image/weights/w")
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "image", "--", "/bin/sh", "-c", "echo x >/image/f"); err == nil || !strings.Contains(out, "Read-only file system") {
		t.Errorf("wrote to an image: %s", out)
	}
}

// TestSubPathsOfImages: a part of an image is mounted, read-only; its links lead nowhere else; and
// the image stays until nothing mounts it.
func TestSubPathsOfImages(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	importImage(t, "parts:1", map[string]string{
		"weights/w": "heavy", "etc/hostname": "of the image", "out": "@/etc", "up": "@../../../../../../../../../../etc",
	})
	const volumes = "  volumes: [{name: v, image: {reference: localhost/parts:1}}, {name: shared, image: {reference: " + podmantest.Image + ", pullPolicy: Never}}]"
	apply(t, ns, script("parts", sleep, volumes, `    env: [{name: PART, value: weights}]
    volumeMounts:
    - {name: v, mountPath: /whole}
    - {name: v, mountPath: /w, subPathExpr: $(PART)}
    - {name: v, mountPath: /one, subPath: weights/w}
    - {name: v, mountPath: /out, subPath: out}
    - {name: v, mountPath: /up, subPath: up}
    - {name: shared, mountPath: /shared, subPath: bin}`))
	running(t, ns, "parts")
	for path, want := range map[string]string{
		"/whole/weights/w": "heavy", "/w/w": "heavy", "/one": "heavy", "/out/hostname": "of the image", "/up/hostname": "of the image",
	} {
		shows(t, ns, "parts", want, "cat", path)
	}
	for command, want := range map[string]string{
		"echo x >/w/new": "Read-only file system", "echo x >/whole/new": "Read-only file system", "echo x >/shared/busybox": "Read-only file system",
	} {
		if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "parts", "--", "/bin/sh", "-c", command); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %s", command, err, out)
		}
	}
	if out, err := rig.Hosts[0].Podman("rmi", "localhost/parts:1"); err == nil || !strings.Contains(out+err.Error(), "in use") {
		t.Errorf("an image that is mounted was removed: %v %s", err, out)
	}
	rig.Skerry(t, "", "delete", "pod", "-n", ns, "parts")
	if out, err := rig.Hosts[0].Podman("rmi", "localhost/parts:1"); err != nil {
		t.Errorf("it is held for ever: %v %s", err, out)
	}

	// One that is not there, and must not be pulled; then it is, but not the part.
	apply(t, ns, script("never", sleep, "  volumes: [{name: v, image: {reference: localhost/later:1, pullPolicy: Never}}]", "    volumeMounts: [{name: v, mountPath: /v, subPath: none}]"))
	await(t, ns, "never", "told that the image is missing", func(p *v1.Pod) bool {
		w := p.Status.ContainerStatuses
		return len(w) == 1 && w[0].State.Waiting != nil && w[0].State.Waiting.Reason == "ErrImageNeverPull"
	})
	events(t, ns, "never", "Warning ErrImageNeverPull", "is not present with pull policy of Never")
	importImage(t, "later:1", map[string]string{"f": "x"})
	p := await(t, ns, "never", "told that the part is missing", func(p *v1.Pod) bool {
		w := p.Status.ContainerStatuses[0].State.Waiting
		return w != nil && w.Reason == "CreateContainerConfigError"
	})
	if m := p.Status.ContainerStatuses[0].State.Waiting.Message; !strings.Contains(m, "failed to prepare subPath for volumeMount") || !strings.Contains(m, "no such file or directory") {
		t.Errorf("it says %s", m)
	}
}

func TestVolumesOfLaterVersions(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	out := apply(t, ns, script("claim", sleep, "  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]",
		"    volumeMounts: [{name: v, mountPath: /v}]"))
	if !strings.Contains(out, "spec.volumes[0].persistentVolumeClaim") {
		t.Errorf("no warning: %s", out)
	}
	mountFailed(t, ns, "claim", "FailedMount", `MountVolume.SetUp failed for volume "v" : volumes of this kind (persistentVolumeClaim) are not supported`)
}

// TestVolumesGoWithTheirPod: nothing of a pod stays on the host, mounted or not.
func TestVolumesGoWithTheirPod(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("gone", sleep, "  volumes: [{name: d, emptyDir: {}}, {name: m, emptyDir: {medium: Memory}}, {name: c, configMap: {name: kube, optional: true}}]",
		"    volumeMounts: [{name: d, mountPath: /d}, {name: m, mountPath: /m}, {name: c, mountPath: /c}, {name: d, mountPath: /s, subPath: a/b}]"))
	p := running(t, ns, "gone")
	dir := volumesOf(t, p)
	if len(mountsBelow(t, dir)) != 2 {
		t.Errorf("mounted below %s: %v", dir, mountsBelow(t, dir))
	}
	rig.Skerry(t, "", "delete", "pod", "gone", "-n", ns, "--timeout", labtest.Patience.String())
	rig.Eventually(t, "the volumes are gone", func() error { return absent(dir) })
	if m := mountsBelow(t, dir); len(m) != 0 {
		t.Errorf("still mounted: %v", m)
	}
}

// TestVariablesFromAFile: an init container writes what the main one starts with.
func TestVariablesFromAFile(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("vars", `echo "$FROM $MISSING."; `+sleep, `  volumes: [{name: v, emptyDir: {}}]
  initContainers:
  - name: writer
    image: `+podmantest.Image+`
    imagePullPolicy: Never
    command: [/bin/sh, -c, "echo \"WHO='the writer'\" >/v/vars"]
    volumeMounts: [{name: v, mountPath: /v}]`, `    env:
    - {name: FROM, valueFrom: {fileKeyRef: {volumeName: v, path: vars, key: WHO}}}
    - {name: MISSING, valueFrom: {fileKeyRef: {volumeName: v, path: vars, key: NOBODY, optional: true}}}`))
	running(t, ns, "vars")
	if out := logs(t, ns, "vars", "-c", "main"); out != "the writer .\n" {
		t.Errorf("it printed %q", out)
	}
}
