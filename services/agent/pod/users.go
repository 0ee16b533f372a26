package pod

import (
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Host ids for pods with users of their own: between those of systemd's containers, which
// end at 0x6FFFFFFF, and the end of what a signed number holds. Rootless users'
// ranges and directory services stay below.
const (
	firstUser = 0x7000_0000
	lastUser  = 0x7FFE_0000
)

// users gives pods ranges of host ids, each to one pod. What is on the host is in the
// sandboxes' labels; this is what was given away since. Safe for concurrent use.
type users struct {
	mu    sync.Mutex
	byPod map[types.UID]uint32
}

// take returns the pod's range, the lowest free one if it has none.
func (u *users) take(pod types.UID) (uint32, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if first, ok := u.byPod[pod]; ok {
		return first, nil
	}
	taken := map[uint32]bool{}
	for _, first := range u.byPod {
		taken[first] = true
	}
	for first := uint32(firstUser); first < lastUser; first += sandbox.UserRange {
		if !taken[first] {
			u.put(pod, first)
			return first, nil
		}
	}
	return 0, errors.New("could not find an empty slot to allocate a user namespace")
}

func (u *users) put(pod types.UID, first uint32) {
	if u.byPod == nil {
		u.byPod = map[types.UID]uint32{}
	}
	u.byPod[pod] = first
}

// saw takes in all sandboxes that there are, and frees the ranges of pods that have none and
// are not wanted.
func (u *users) saw(pods []sandbox.Pod, wanted func(types.UID) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range pods {
		if p.Users != 0 {
			u.put(p.UID, p.Users)
		}
	}
	if len(u.byPod) == 0 {
		return // as on most hosts
	}
	here := make(map[types.UID]bool, len(pods))
	for _, p := range pods {
		here[p.UID] = true
	}
	for pod := range u.byPod {
		if !here[pod] && !wanted(pod) {
			delete(u.byPod, pod)
		}
	}
}
