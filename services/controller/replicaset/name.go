package replicaset

import (
	"crypto/sha256"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

const (
	suffixLength = 5
	maxPrefix    = 63 - suffixLength
	// recall bounds the search for the ordinals of pods that a former leader named.
	recall = 10_000
)

func prefix(rs *appsv1.ReplicaSet) string {
	p := rs.Name + "-"
	return p[:min(len(p), maxPrefix)]
}

// podName is the name of a ReplicaSet's n-th pod. It looks like Kubernetes' random
// ones, but whoever repeats a creation repeats the name, and makes one pod.
func podName(prefix string, uid types.UID, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", uid, n))
	var suffix [suffixLength]byte
	// Seven bits of the hash for each character: SafeEncodeString folds them into the
	// alphabet, and reads runes, so a byte beyond ASCII would swallow its neighbours.
	for i := range suffix {
		suffix[i] = sum[i] & 0x7f
	}
	return prefix + rand.SafeEncodeString(string(suffix[:]))
}

// names returns n free names, counting ordinals up from the given one, and the
// ordinal after the last.
func names(rs *appsv1.ReplicaSet, taken func(string) bool, from, n int) ([]string, int) {
	var out []string
	used := map[string]bool{}
	for ; len(out) < n; from++ {
		name := podName(prefix(rs), rs.UID, from)
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
		name := podName(prefix(rs), rs.UID, n)
		if wanted[name] {
			delete(wanted, name)
			next = n + 1
		}
	}
	return max(0, next-min(want(rs), burst))
}
