// Package image decides when images are pulled, and which unused ones are removed.
//
// It reads and writes the runtime's image store. What always holds: one pull of an
// image at a time, however many pods wait for it; a failed pull is not tried again
// before its back-off (10 s doubling to 5 min) is over; and only images that
// nothing uses are removed, oldest first, and only while the disk is too full.
package image

import (
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Phase is how far an image is for one start of one container.
type Phase int

const (
	// Untried: nothing is known; it is probably in the store.
	Untried Phase = iota
	// Missing: it is not in the store.
	Missing
	Pulling
	Present
	Failed
)

// State is what is known about an image for one start of one container.
type State struct {
	Phase   Phase
	Message string
	// Since is when the phase began; Until when to try again (Failed, Missing).
	Since, Until time.Time
}

// Policy is the pull policy that applies to image. Names under localhost/ are of
// images built on the host: Always cannot mean a registry there.
func Policy(image string, p v1.PullPolicy) v1.PullPolicy {
	if p == "" {
		p = v1.PullIfNotPresent
	}
	if p == v1.PullAlways && strings.HasPrefix(image, "localhost/") {
		return v1.PullIfNotPresent
	}
	return p
}
