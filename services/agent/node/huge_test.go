package node

import (
	"os"
	"path/filepath"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestHugePages(t *testing.T) {
	dir := t.TempDir()
	for name, pages := range map[string]string{"hugepages-2048kB": "100\n", "hugepages-1048576kB": "0\n", "hugepages-64kB": "x", "other": "1"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "nr_hugepages"), []byte(pages), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := hugePages(dir)
	for name, want := range map[v1.ResourceName]string{"hugepages-2Mi": "200Mi", "hugepages-1Gi": "0", "hugepages-64Ki": "0"} {
		if q, ok := got[name]; !ok || q.String() != want {
			t.Errorf("%s: %s, want %s", name, q.String(), want)
		}
	}
	if len(got) != 3 || len(hugePages("/nowhere")) != 0 {
		t.Errorf("got %v", got)
	}
	got[v1.ResourceMemory] = resource.MustParse("1Gi")
	if left := allocatable(got, nil); left.Memory().String() != "824Mi" {
		t.Errorf("memory for pods: %s", left.Memory())
	}
}
