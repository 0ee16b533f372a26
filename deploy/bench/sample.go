package main

import (
	"fmt"
	"slices"
	"time"
)

// sample is the durations of something that was done several times.
type sample []time.Duration

// quantile returns the nearest rank of q, which is in [0, 1]; 0 of nothing.
func (s sample) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// median is the mean of the middle two if there is an even number.
func (s sample) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (s sample) String() string { return show(s.median()) }

// spread is "min–max".
func (s sample) spread() string {
	if len(s) == 0 {
		return ""
	}
	return show(slices.Min(s)) + " – " + show(slices.Max(s))
}

// show prints a duration with three digits or so.
func show(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}
