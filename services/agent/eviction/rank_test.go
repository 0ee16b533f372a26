package eviction

import (
	"context"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func newPod(name, memory, disk string, priority int32) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}}
	requests := v1.ResourceList{}
	if memory != "" {
		requests[v1.ResourceMemory] = resource.MustParse(memory)
	}
	if disk != "" {
		requests[v1.ResourceEphemeralStorage] = resource.MustParse(disk)
	}
	p.Spec.Priority = &priority
	p.Spec.Containers = []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Requests: requests}}}
	return p
}

// uses is a candidate that uses memory, a layer and logs, an emptyDir, and processes.
func uses(p *v1.Pod, memory, layer, logs, dir, pids int64) candidate {
	return candidate{pod: p, use: Use{Memory: memory, PIDs: pids, Volumes: map[string]Space{"v": {Bytes: dir}},
		Containers: map[string]ContainerUse{"main": {Memory: memory, Layer: Space{Bytes: layer}, Logs: Space{Bytes: logs}}}}}
}

func order(cs []candidate) string {
	var names []string
	for _, c := range cs {
		names = append(names, c.pod.Name)
	}
	return strings.Join(names, " ")
}

func TestRank(t *testing.T) {
	cs := []candidate{
		uses(newPod("within", "1000", "1000", 0), 900, 100, 100, 100, 1),
		uses(newPod("within-much", "9000", "9000", 0), 8000, 100, 100, 100, 2),
		uses(newPod("over", "100", "", 0), 200, 10, 10, 10, 3),
		uses(newPod("over-more", "", "100", 0), 5000, 50, 500, 50, 4),
		uses(newPod("over-important", "", "", 1000), 9000, 9000, 1, 1, 50),
		uses(newPod("over-unimportant", "100", "", -5), 101, 1, 0, 0, 5),
	}
	for _, c := range []struct {
		name string
		s    Signal
		p    part
		want string
	}{
		{"memory", MemoryAvailable, part{}, "over-unimportant over-more over over-important within within-much"},
		{"one disk", NodeFSAvailable, part{layers: true, local: true}, "over-unimportant over-more over over-important within within-much"},
		{"layers only", ImageAvailable, part{layers: true}, "over-unimportant over over-important over-more within within-much"},
		{"logs and volumes only", NodeFSAvailable, part{local: true}, "over-more over over-important over-unimportant within within-much"},
		{"processes", PIDAvailable, part{}, "over-unimportant over-more over within-much within over-important"},
	} {
		if got := order(rank(c.s, cs, c.p)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	// The order does not depend on that of the question.
	want := order(rank(MemoryAvailable, cs, part{}))
	for range 20 {
		rand.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
		if got := order(rank(MemoryAvailable, cs, part{})); got != want {
			t.Fatalf("shuffled: %s", got)
		}
	}
}

// TestRankByInodes: many small files outweigh a large one, and requests of bytes do not count.
func TestRankByInodes(t *testing.T) {
	files := func(name string, priority int32, layer, logs, dir Space) candidate {
		return candidate{pod: newPod(name, "", "1Gi", priority), use: Use{Volumes: map[string]Space{"v": dir},
			Containers: map[string]ContainerUse{"main": {Layer: layer, Logs: logs}}}}
	}
	cs := []candidate{
		files("large", 0, Space{4 << 30, 3}, Space{1 << 30, 1}, Space{}),
		files("many", 0, Space{1 << 20, 2}, Space{4096, 1}, Space{2 << 20, 5000}),
		files("layers", 0, Space{1 << 20, 900}, Space{}, Space{}),
		files("important", 10, Space{1 << 20, 9000}, Space{}, Space{}),
		files("none", 0, Space{}, Space{}, Space{}),
	}
	for s, want := range map[Signal]string{NodeFSInodes: "many layers large important none", ImageInodes: "layers large many important none"} {
		if got := order(rank(s, cs, partOf(s, s == NodeFSInodes))); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
	got := message(Threshold{Signal: NodeFSInodes, Amount: Amount{Quantity: 10}}, Level{5, 100}, cs[2], part{layers: true})
	if want := "The node was low on resource: inodes. Threshold quantity: 10, available: 5. " +
		"Container main was using 900, request is 0, has larger consumption of inodes. "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMessage(t *testing.T) {
	c := uses(newPod("p", "16Mi", "", 0), 64<<20, 3<<20, 1<<20, 0, 1)
	c.pod.Spec.Containers = append(c.pod.Spec.Containers, v1.Container{Name: "quiet"})
	got := message(Threshold{Signal: MemoryAvailable, Amount: Amount{Quantity: 100 << 20}}, Level{50 << 20, 1 << 30}, c, part{})
	want := "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. " +
		"Container main was using 64Mi, request is 16Mi, has larger consumption of memory. "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = message(hardDisk, Level{50 << 20, 1 << 30}, c, part{layers: true, local: true})
	want = "The node was low on resource: ephemeral-storage. Threshold quantity: 107374182, available: 50Mi. " +
		"Container main was using 4Mi, request is 0, has larger consumption of ephemeral-storage. "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = message(Threshold{Signal: NodeFSInodes, Amount: Amount{Quantity: 10}}, Level{5, 100}, c, part{})
	if want = "The node was low on resource: inodes. Threshold quantity: 10, available: 5. "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBeyond(t *testing.T) {
	limit := func(disk string) v1.ResourceRequirements {
		return v1.ResourceRequirements{Limits: v1.ResourceList{v1.ResourceEphemeralStorage: resource.MustParse(disk)}}
	}
	p := newPod("p", "", "", 0)
	p.Spec.Containers[0].Resources = limit("10Mi")
	p.Spec.Containers = append(p.Spec.Containers, v1.Container{Name: "side", Resources: limit("20Mi")})
	p.Spec.Volumes = []v1.Volume{
		{Name: "small", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("1Mi"))}}},
		{Name: "free", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}},
		{Name: "ram", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{Medium: v1.StorageMediumMemory, SizeLimit: ptr.To(resource.MustParse("2Mi"))}}},
	}
	use := func(main, logs, side, small, free, ram int64) Use {
		return Use{Containers: map[string]ContainerUse{"main": {Layer: Space{Bytes: main << 20}, Logs: Space{Bytes: logs << 20}}, "side": {Layer: Space{Bytes: side << 20}}},
			Volumes: map[string]Space{"small": {Bytes: small << 20}, "free": {Bytes: free << 20}}, InMemory: map[string]int64{"ram": ram << 20}}
	}
	for _, c := range []struct {
		name string
		use  Use
		want string
	}{
		{"within", use(5, 5, 10, 1, 9, 2), ""},
		{"a volume", use(0, 0, 0, 2, 0, 0), `Usage of EmptyDir volume "small" exceeds the limit "1Mi". `},
		{"a volume in memory", use(0, 0, 0, 0, 0, 3), `Usage of EmptyDir volume "ram" exceeds the limit "2Mi". `},
		{"a container, logs count", use(5, 6, 0, 0, 0, 0), `Container main exceeded its local ephemeral storage limit "10Mi". `},
		{"all together", use(9, 0, 19, 1, 2, 0), "Pod ephemeral local storage usage exceeds the total limit of containers 30Mi. "},
		{"memory is no disk", use(9, 0, 19, 0, 0, 2), ""},
	} {
		if got := beyond(p, c.use); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if !limited(p) || limited(newPod("q", "1", "1", 0)) {
		t.Error("which pods have limits was not found")
	}
}

// TestSize counts blocks: once for each file, and nothing behind links.
func TestSize(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	fill := func(path string, n int) {
		t.Helper()
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty, err := size(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	fill(filepath.Join(dir, "a"), 1<<20)
	fill(filepath.Join(other, "b"), 8<<20)
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	got, err := size(t.Context(), dir)
	if n := got.Bytes - empty.Bytes; err != nil || n < 1<<20 || n > 1<<20+64<<10 || empty.Inodes != 1 || got.Inodes != 3 {
		t.Errorf("size %+v, %v; it was %+v", got, err, empty)
	}
	if _, err := size(t.Context(), filepath.Join(dir, "nothing")); err != nil {
		t.Errorf("what is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := size(ctx, dir); err == nil {
		t.Error("went on after its end")
	}
}
