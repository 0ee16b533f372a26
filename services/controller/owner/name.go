package owner

import (
	"crypto/sha256"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// SuffixLength is how much longer than its prefix a name is.
const SuffixLength = 5

// Name is the name of the n-th object that the one with this uid makes. It looks like
// Kubernetes' random ones, but whoever repeats a creation repeats the name, and makes
// one object.
func Name(prefix string, uid types.UID, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", uid, n))
	var suffix [SuffixLength]byte
	// Seven bits of the hash for each character: SafeEncodeString folds them into the
	// alphabet, and reads runes, so a byte beyond ASCII would swallow its neighbours.
	for i := range suffix {
		suffix[i] = sum[i] & 0x7f
	}
	return prefix + rand.SafeEncodeString(string(suffix[:]))
}
