package image

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/member"
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
		if !inUse(i, used) && !i.ReadOnly && !local(i) && now.Sub(lastUsed[i.ID]) >= young {
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

// Used are the ids and names of images that orders ask for or containers were made from.
func Used(ordered []*v1.Pod, running []sandbox.Pod) map[string]bool {
	used := map[string]bool{}
	for _, p := range ordered {
		for _, c := range member.All(p) {
			used[c.Image] = true
		}
		for _, v := range p.Spec.Volumes {
			if v.Image != nil {
				used[v.Image.Reference] = true
			}
		}
	}
	for _, p := range running {
		used[p.Infra.ImageID] = true
		for _, c := range p.Containers {
			used[c.ImageID] = true
		}
	}
	return used
}

// Note updates when each image was last in use, or first seen; images that are gone are forgotten.
func Note(lastUsed map[string]time.Time, images []sandbox.Image, used map[string]bool, now time.Time) {
	here := map[string]bool{}
	for _, i := range images {
		here[i.ID] = true
		_, known := lastUsed[i.ID]
		if !known || inUse(i, used) {
			lastUsed[i.ID] = now
		}
	}
	maps.DeleteFunc(lastUsed, func(id string, _ time.Time) bool { return !here[id] })
}

// local images were built or loaded on the host: nobody could pull them again.
func local(i sandbox.Image) bool {
	return slices.ContainsFunc(i.Names, func(n string) bool { return strings.HasPrefix(n, "localhost/") })
}

func inUse(i sandbox.Image, used map[string]bool) bool {
	return used[i.ID] || slices.ContainsFunc(i.Names, func(n string) bool { return used[n] })
}
