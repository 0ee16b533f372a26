package pod

import "time"

// Delays between restarts of a container that keeps ending: 10 s doubling to
// 5 min, forgotten after 10 min of health. The first restart has no delay. As
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy.
const (
	firstDelay  = 10 * time.Second
	maxDelay    = 5 * time.Minute
	healthyTime = 10 * time.Minute
)

// Backoff is how long restarts are held back; the zero value not at all.
type Backoff struct {
	Delay   time.Duration
	Updated time.Time // the last restart
}

// Until returns when a container that ended at may start again.
func (b Backoff) Until(ended time.Time) time.Time {
	if b.Delay == 0 || ended.Sub(b.Updated) > healthyTime {
		return ended
	}
	return ended.Add(b.Delay)
}

// Next is the back-off after a restart now.
func (b Backoff) Next(now time.Time) Backoff {
	d := min(2*b.Delay, maxDelay)
	if b.Delay == 0 || now.Sub(b.Updated) > healthyTime {
		d = firstDelay
	}
	return Backoff{Delay: d, Updated: now}
}

// Hold is how long something that could not be done waits.
type Hold struct {
	Until time.Time
	Tries int
}

// Again is the hold after it could not be done once more: for 1 s, doubling to 1 min.
func (h Hold) Again(now time.Time) Hold {
	d := min(time.Second<<min(h.Tries, 6), time.Minute)
	return Hold{Until: now.Add(d), Tries: h.Tries + 1}
}

// Failure is something that could not be done, and when to try again.
type Failure struct {
	Hold
	Reason  string
	Message string
	// OfVolume: the pod waits for its volumes, and not longer than they take.
	OfVolume bool
}
