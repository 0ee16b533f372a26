package replicaset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/controller/owner"
)

const (
	maxPrefix = 63 - owner.SuffixLength
	// recall bounds the search for the ordinals of pods that a former leader named.
	recall = 10_000
)

func prefix(rs *appsv1.ReplicaSet) string {
	p := rs.Name + "-"
	return p[:min(len(p), maxPrefix)]
}

// names returns n free names, counting ordinals up from the given one, and the
// ordinal after the last.
func names(rs *appsv1.ReplicaSet, taken func(string) bool, from, n int) ([]string, int) {
	var out []string
	used := map[string]bool{}
	for ; len(out) < n; from++ {
		name := owner.Name(prefix(rs), rs.UID, from)
		if used[name] || taken(name) {
			continue
		}
		used[name] = true
		out = append(out, name)
	}
	return out, from
}

// nextOrdinal finds where a new leader goes on counting: as many names before the
// highest that is in use as the former leader can have been making at once. Of those
// some may still be on their way to the apiserver; whoever picks the same makes none twice.
func nextOrdinal(rs *appsv1.ReplicaSet, pods []*corev1.Pod) int {
	wanted := map[string]bool{}
	for _, p := range pods {
		if p.GenerateName == prefix(rs) {
			wanted[p.Name] = true
		}
	}
	next := 0
	for n := 0; n < recall && len(wanted) > 0; n++ {
		name := owner.Name(prefix(rs), rs.UID, n)
		if wanted[name] {
			delete(wanted, name)
			next = n + 1
		}
	}
	return max(0, next-min(want(rs), burst))
}
