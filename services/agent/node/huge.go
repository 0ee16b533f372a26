package node

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// hugePages are the host's huge pages of each size that its kernel has, also where there
// is none of them. dir is /sys/kernel/mm/hugepages, of directories hugepages-<size>kB.
func hugePages(dir string) v1.ResourceList {
	out := v1.ResourceList{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return out // a kernel without them
	}
	for _, e := range entries {
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(e.Name(), "hugepages-"), "kB"), 10, 64)
		if err != nil || kib <= 0 {
			continue
		}
		pages, _ := strconv.ParseInt(firstLine(filepath.Join(dir, e.Name(), "nr_hugepages")), 10, 64)
		size := resource.NewQuantity(kib<<10, resource.BinarySI)
		out[v1.ResourceName(v1.ResourceHugePagesPrefix+size.String())] = *resource.NewQuantity(pages*(kib<<10), resource.BinarySI)
	}
	return out
}
