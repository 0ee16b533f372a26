//go:build linux

package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/mount"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
}

// only needs the volumes of those pods.
func only(pods ...types.UID) func() (map[types.UID]bool, error) {
	needed := map[types.UID]bool{}
	for _, uid := range pods {
		needed[uid] = true
	}
	return func() (map[types.UID]bool, error) { return needed, nil }
}

func TestEmptyDir(t *testing.T) {
	g := newRig(t)
	sticky, group, limit := int32(0o1750), int64(77), resource.MustParse("64Ki")
	p := pod(emptyVolume("plain", v1.EmptyDirVolumeSource{}), emptyVolume("moded", v1.EmptyDirVolumeSource{Mode: &sticky}),
		emptyVolume("memory", v1.EmptyDirVolumeSource{Medium: v1.StorageMediumMemory, SizeLimit: &limit}))
	g.must(g.Prepare(t.Context(), p))
	for name, want := range map[string]fs.FileMode{"plain": 0o777, "moded": 0o750 | fs.ModeSticky, "memory": 0o777} {
		if got := mode(t, g.dir(p, name)); got != want {
			t.Errorf("%s: mode %v, want %v", name, got, want)
		}
	}
	g.must(os.WriteFile(filepath.Join(g.dir(p, "plain"), "f"), make([]byte, 5000), 0o600))
	g.must(os.Link(filepath.Join(g.dir(p, "plain"), "f"), filepath.Join(g.dir(p, "plain"), "same")))
	g.must(os.WriteFile(filepath.Join(g.dir(p, "memory"), "f"), make([]byte, 20<<10), 0o600))
	if err := os.WriteFile(filepath.Join(g.dir(p, "memory"), "g"), make([]byte, 60<<10), 0o600); err == nil {
		t.Error("the tmpfs takes more than its limit")
	}
	use, err := g.Usage(p)
	g.must(err)
	if len(use) != 3 || use[0].Bytes != 8192 || use[2].Bytes < 20<<10 || !use[2].Memory || use[2].Limit != 64<<10 {
		t.Errorf("usage %+v", use)
	}
	// Another agent, as after a restart, leaves it all alone.
	g.must(os.Chmod(g.dir(p, "plain"), 0o700))
	g.start()
	g.must(g.Prepare(t.Context(), p))
	if m := mode(t, g.dir(p, "plain")); m != 0o700 || len(g.file(filepath.Join(g.dir(p, "memory"), "f"))) != 20<<10 {
		t.Errorf("a restart changed a volume: mode %v", m)
	}
	q := pod(emptyVolume("grouped", v1.EmptyDirVolumeSource{}))
	q.UID, q.Spec.SecurityContext = "other", &v1.PodSecurityContext{FSGroup: &group}
	g.must(g.Prepare(t.Context(), q))
	if got := mode(t, g.dir(q, "grouped")); got != 0o777|fs.ModeSetgid {
		t.Errorf("with an fsGroup: mode %v", got)
	}
}

// TestHugePages: their size is the one that is named and requested, or the only one.
func TestHugePages(t *testing.T) {
	g := newRig(t)
	asks := func(p *v1.Pod, sizes ...string) *v1.Pod {
		l := v1.ResourceList{}
		for _, s := range sizes {
			l[v1.ResourceName("hugepages-"+s)] = resource.MustParse("1Gi")
		}
		p.Spec.Containers = []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Limits: l}}}
		return p
	}
	p := asks(pod(emptyVolume("any", v1.EmptyDirVolumeSource{Medium: "HugePages"}), emptyVolume("named", v1.EmptyDirVolumeSource{Medium: "HugePages-2Mi"})), "2Mi")
	for range 2 { // the second time by another agent
		g.must(g.Prepare(t.Context(), p))
		for _, name := range []string{"any", "named"} {
			if there, err := mounted(g.dir(p, name), unix.HUGETLBFS_MAGIC); err != nil || !there || mode(t, g.dir(p, name)) != 0o777 {
				t.Errorf("%s: %v, %v", name, there, err)
			}
		}
		g.start()
	}
	g.must(g.Remove(p.UID))
	for want, c := range map[string]struct {
		medium v1.StorageMedium
		sizes  []string
	}{
		"no resource request":          {"HugePages", nil},
		"medium HugePages-1Gi":         {"HugePages-1Gi", []string{"2Mi"}},
		"multiple huge page sizes":     {"HugePages", []string{"2Mi", "1Gi"}},
		`"many" is no size of pages`:   {"HugePages-many", []string{"2Mi"}},
		`unknown storage medium "Disk`: {"Disk", nil},
	} {
		bad := asks(pod(emptyVolume("bad", v1.EmptyDirVolumeSource{Medium: c.medium})), c.sizes...)
		bad.UID = "bad"
		if err := g.Prepare(t.Context(), bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s of %q: %v", c.medium, c.sizes, err)
		}
	}
}

func TestRemoveAndSweep(t *testing.T) {
	g := newRig(t)
	precious := filepath.Join(t.TempDir(), "precious")
	g.must(os.WriteFile(precious, []byte("x"), 0o600))
	p := pod(emptyVolume("d", v1.EmptyDirVolumeSource{}), emptyVolume("m", v1.EmptyDirVolumeSource{Medium: v1.StorageMediumMemory}),
		hostVolume(filepath.Dir(precious), v1.HostPathDirectory),
		v1.Volume{Name: "s", VolumeSource: v1.VolumeSource{Secret: &v1.SecretVolumeSource{SecretName: "none", Optional: ptr(true)}}})
	g.must(g.Prepare(t.Context(), p))
	for i, m := range []v1.VolumeMount{{Name: "d", SubPath: "a/b"}, {Name: "h", ReadOnly: true, RecursiveReadOnly: ptr(v1.RecursiveReadOnlyEnabled)}} {
		c := &v1.Container{Name: string(rune('a' + i)), VolumeMounts: []v1.VolumeMount{m}}
		_, err := g.Mounts(p, c, nil)
		g.must(err)
	}
	link(t, filepath.Dir(precious), filepath.Join(g.dir(p, "d"), "way", "out"))
	below, err := mount.Below(filepath.Join(g.data, "pods"))
	g.must(err)
	if len(below) != 3 {
		t.Errorf("mounts: %+v", below)
	}
	g.start() // it ended in the middle
	g.must(g.Sweep(only(p.UID)))
	if _, err := os.Stat(g.dir(p, "d")); err != nil {
		t.Error(err)
	}
	g.must(g.Sweep(only()))
	for _, d := range []string{"pods", "memory"} {
		left, err := os.ReadDir(filepath.Join(g.data, d))
		g.must(err)
		if len(left) > 0 {
			t.Errorf("%s: left: %v", d, left)
		}
	}
	if g.file(precious) != "x" {
		t.Error("what a volume showed was removed")
	}
	if g.Remove("../../etc") == nil || g.Remove("..") == nil || g.Remove("") == nil {
		t.Error("a uid that leads elsewhere was taken")
	}
}

// TestRemoveCrossesNoMount: what somebody mounted below a volume survives the volume.
func TestRemoveCrossesNoMount(t *testing.T) {
	g := newRig(t)
	other := t.TempDir()
	g.must(os.WriteFile(filepath.Join(other, "f"), nil, 0o600))
	tree := filepath.Join(g.data, "tree")
	g.must(os.MkdirAll(filepath.Join(tree, "a", "b"), 0o755))
	dir, err := os.Open(other)
	g.must(err)
	defer func() { _ = dir.Close() }()
	g.must(mount.Bind(dir, filepath.Join(tree, "a", "b"), false, false))
	if err := removeTree(tree); err == nil {
		t.Error("removed through a mount")
	}
	if _, err := os.Stat(filepath.Join(other, "f")); err != nil {
		t.Error(err)
	}
	g.must(mount.Unmount(tree))
	g.must(removeTree(tree))
}

// TestDeepDirectories: a container that makes directories deeper than any path leads takes neither the agent's files
// nor the room beside its limit, and they are removed.
func TestDeepDirectories(t *testing.T) {
	g := newRig(t)
	limit := resource.MustParse("1Mi")
	p := pod(emptyVolume("e", v1.EmptyDirVolumeSource{SizeLimit: &limit}))
	g.must(g.Prepare(t.Context(), p))
	fd, err := unix.Open(g.dir(p, "e"), unix.O_DIRECTORY, 0)
	g.must(err)
	g.must(unix.Mkdirat(fd, ".deep-0", 0o700)) // a name that could be in the way
	for range 2 * deepest {
		g.must(unix.Mkdirat(fd, "d", 0o700))
		next, err := unix.Openat(fd, "d", unix.O_DIRECTORY, 0)
		g.must(errors.Join(err, unix.Close(fd)))
		fd = next
	}
	g.must(unix.Close(fd))
	files := func(most uint64) {
		var was unix.Rlimit
		g.must(unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
		g.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(most, was.Max), Max: was.Max}))
		t.Cleanup(func() { g.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &was)) })
	}
	files(deepest + 512)
	used, err := g.Usage(p)
	if err != nil || len(used) != 1 || used[0].Bytes <= limit.Value() {
		t.Errorf("used: %+v, %v", used, err)
	}
	files(shallow + 256)
	g.must(g.Remove(p.UID))
	if _, err := os.Lstat(g.dir(p, "e")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestHostPath(t *testing.T) {
	g := newRig(t)
	dir := t.TempDir()
	file, none := filepath.Join(dir, "file"), filepath.Join(dir, "none", "deep")
	g.must(os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		path string
		t    v1.HostPathType
		want string
	}{
		{dir, v1.HostPathUnset, ""}, {dir, v1.HostPathDirectory, ""}, {file, v1.HostPathFile, ""}, {"/dev/null", v1.HostPathCharDev, ""},
		{file, v1.HostPathDirectory, "hostPath type check failed: " + file + " is not a directory, it's a File"},
		{dir, v1.HostPathFileOrCreate, "hostPath type check failed: " + dir + " is not a file, it's a Directory"},
		{dir, v1.HostPathSocket, "is not a socket file"}, {dir, v1.HostPathBlockDev, "is not a block device"}, {dir, v1.HostPathCharDev, "is not a character device"},
		{none, v1.HostPathDirectory, "hostPath " + none + " doesn't exist"},
		{none, v1.HostPathFileOrCreate, "no such file or directory"}, // its folder is not made
		{none, v1.HostPathDirectoryOrCreate, ""}, {none, v1.HostPathDirectory, ""},
		{filepath.Join(dir, "new"), v1.HostPathFileOrCreate, ""}, {filepath.Join(dir, "new"), v1.HostPathFile, ""},
		{filepath.Join(dir, "unset"), v1.HostPathUnset, ""}, {filepath.Join(dir, "unset"), v1.HostPathDirectory, ""},
	} {
		err := hostPath(&v1.HostPathVolumeSource{Path: c.path, Type: &c.t})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %q: %v, want %q", c.path, c.t, err, c.want)
		}
	}
}

func TestMounts(t *testing.T) {
	g := newRig(t)
	g.config("conf", map[string]string{"k": "v"})
	p := pod(emptyVolume("d", v1.EmptyDirVolumeSource{}), configVolume("c", "conf"), hostVolume("/etc", v1.HostPathDirectory),
		v1.Volume{Name: "i", VolumeSource: v1.VolumeSource{Image: &v1.ImageVolumeSource{Reference: "img:1"}}})
	g.must(g.Prepare(t.Context(), p))
	for _, c := range []struct {
		m                   v1.VolumeMount
		source, propagation string
		readOnly            bool
	}{
		{v1.VolumeMount{Name: "d", MountPath: "/x"}, g.dir(p, "d"), "rprivate", false},
		{v1.VolumeMount{Name: "d", MountPath: "/x", ReadOnly: true}, g.dir(p, "d"), "rprivate", true},
		{v1.VolumeMount{Name: "c", MountPath: "x/"}, g.dir(p, "c"), "rprivate", true},
		{v1.VolumeMount{Name: "h", MountPath: "/x", MountPropagation: ptr(v1.MountPropagationHostToContainer)}, "/etc", "rslave", false},
		{v1.VolumeMount{Name: "h", MountPath: "/x", MountPropagation: ptr(v1.MountPropagationBidirectional)}, "/etc", "rshared", false},
	} {
		got, err := g.mounts(p, c.m)
		g.must(err)
		if m := got[0]; m.Source != c.source || m.Target != "/x" || m.Propagation != c.propagation || m.ReadOnly != c.readOnly {
			t.Errorf("%+v became %+v", c.m, m)
		}
	}
	got, err := g.mounts(p, v1.VolumeMount{Name: "i", MountPath: "/i"})
	g.must(err)
	if got[0].Source != g.images["i"] || !got[0].ReadOnly {
		t.Errorf("an image became %+v", got[0])
	}
	for want, m := range map[string]v1.VolumeMount{
		"missing value for \"NOBODY\"": {Name: "d", SubPathExpr: "a/$(NOBODY)"},
		"must not be an absolute path": {Name: "d", SubPathExpr: "/$(NAME)"},
		"must not contain '..'":        {Name: "d", SubPath: "a/../../b"},
		"cannot find volume":           {Name: "nobody"},
	} {
		if _, err := g.mounts(p, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", m, err, want)
		}
	}
	// A directory that is not there is made with the volume's mode; a key is bound as a file.
	got, err = g.mounts(p, v1.VolumeMount{Name: "d", SubPathExpr: "logs/$(NAME)"})
	g.must(err)
	if m := mode(t, filepath.Join(g.dir(p, "d"), "logs", "x")); m != 0o777 {
		t.Errorf("mode %v", m)
	}
	g.must(os.WriteFile(filepath.Join(got[0].Source, "f"), nil, 0o600))
	if _, err := os.Stat(filepath.Join(g.dir(p, "d"), "logs", "x", "f")); err != nil {
		t.Error(err)
	}
	got, err = g.mounts(p, v1.VolumeMount{Name: "c", SubPath: "k"})
	g.must(err)
	if g.file(got[0].Source) != "v" {
		t.Error("not the key")
	}
	g.config("conf", map[string]string{"k": "v2"})
	g.must(g.settle(p))
	if g.file(got[0].Source) != "v" || g.file(filepath.Join(g.dir(p, "c"), "k")) != "v2" {
		t.Error("a sub-path followed a change, or the volume did not")
	}
}

func ptr[T any](v T) *T { return &v }

// TestSubPathOfImage: what a path names in an image is what it names in a container of it. Nothing leads
// out, nothing is made, and the image is held until the pod has gone, also by the next agent.
func TestSubPathOfImage(t *testing.T) {
	g := newRig(t)
	p := pod(v1.Volume{Name: "i", VolumeSource: v1.VolumeSource{Image: &v1.ImageVolumeSource{Reference: "img:1"}}})
	g.must(g.Prepare(t.Context(), p))
	root := g.images["i"]
	g.must(os.MkdirAll(filepath.Join(root, "etc", "deep"), 0o755))
	g.must(os.WriteFile(filepath.Join(root, "etc", "hostname"), []byte("of the image"), 0o644))
	for name, to := range map[string]string{
		"absolute": "/etc", "up": "../../../../../../../../etc", "file": "/etc/hostname", "out": "../..", "loop": "loop", "proc": "/proc/self/root",
	} {
		g.must(os.Symlink(to, filepath.Join(root, name)))
	}
	for _, c := range []struct{ sub, file, want string }{
		{"etc", "hostname", "of the image"}, {"etc/hostname", "", "of the image"}, {"absolute", "hostname", "of the image"},
		{"up", "hostname", "of the image"}, {"file", "", "of the image"}, {"out", "etc/hostname", "of the image"}, {"absolute/hostname", "", "of the image"},
	} {
		got, err := g.mounts(p, v1.VolumeMount{Name: "i", SubPath: c.sub, MountPath: "/x"})
		g.must(err)
		if text := g.file(filepath.Join(got[0].Source, c.file)); text != c.want || !got[0].ReadOnly {
			t.Errorf("%s: %q, %+v", c.sub, text, got[0])
		}
	}
	for _, sub := range []string{"none", "etc/none", "loop", "proc"} {
		if got, err := g.mounts(p, v1.VolumeMount{Name: "i", SubPath: sub, MountPath: "/x"}); err == nil {
			t.Errorf("%s: %+v", sub, got)
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "none")); !os.IsNotExist(err) {
		t.Error("the image was changed")
	}
	g.start()
	g.must(g.Remove(p.UID))
	if len(g.images) > 0 {
		t.Errorf("still held: %v", g.images)
	}
}
