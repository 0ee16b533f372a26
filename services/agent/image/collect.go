package image

import (
	"cmp"
	"slices"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Disk is the file system that images are on.
type Disk struct {
	Total, Free uint64 // bytes
}

// Thresholds of disk use in percent: above High images are removed until below Low.
type Thresholds struct{ High, Low uint64 }

// DefaultThresholds are the kubelet's.
var DefaultThresholds = Thresholds{High: 85, Low: 80}

// young protects images that were just loaded or pulled for a pod to come.
const young = 2 * time.Minute

// Excess chooses the images to remove, oldest last use first. used are ids and names that
// a container or a work order needs; lastUsed is when an id was last seen in use, or first seen at all. Pure.
func Excess(images []sandbox.Image, used map[string]bool, lastUsed map[string]time.Time, d Disk, t Thresholds, now time.Time) []sandbox.Image {
	if d.Total == 0 || (d.Total-d.Free)*100 < d.Total*t.High {
		return nil
	}
	goal := d.Total - d.Total*t.Low/100
	if d.Free >= goal {
		return nil
	}
	need := int64(goal - d.Free)
	var unused []sandbox.Image
	for _, i := range images {
		inUse := used[i.ID] || slices.ContainsFunc(i.Names, func(n string) bool { return used[n] })
		if !inUse && !i.ReadOnly && now.Sub(lastUsed[i.ID]) >= young {
			unused = append(unused, i)
		}
	}
	slices.SortFunc(unused, func(a, b sandbox.Image) int {
		return cmp.Or(lastUsed[a.ID].Compare(lastUsed[b.ID]), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for n, i := range unused {
		if need <= 0 {
			return unused[:n]
		}
		need -= i.Size
	}
	return unused
}
