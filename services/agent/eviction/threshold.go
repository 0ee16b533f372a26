package eviction

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Signal is what is measured, by the kubelet's names.
type Signal string

// The signals.
const (
	MemoryAvailable Signal = "memory.available"
	NodeFSAvailable Signal = "nodefs.available"
	NodeFSInodes    Signal = "nodefs.inodesFree"
	ImageAvailable  Signal = "imagefs.available"
	ImageInodes     Signal = "imagefs.inodesFree"
	PIDAvailable    Signal = "pid.available"
)

// meaning is what a signal stands for.
type meaning struct {
	condition v1.NodeConditionType
	// resource names it in messages.
	resource v1.ResourceName
}

const inodes v1.ResourceName = "inodes"

var meanings = map[Signal]meaning{
	MemoryAvailable: {v1.NodeMemoryPressure, v1.ResourceMemory},
	NodeFSAvailable: {v1.NodeDiskPressure, v1.ResourceEphemeralStorage},
	NodeFSInodes:    {v1.NodeDiskPressure, inodes},
	ImageAvailable:  {v1.NodeDiskPressure, v1.ResourceEphemeralStorage},
	ImageInodes:     {v1.NodeDiskPressure, inodes},
	PIDAvailable:    {v1.NodePIDPressure, "pids"},
}

// Amount is a quantity, or a share of what there is.
type Amount struct {
	Quantity int64
	Share    float64 // 0.1 is 10 %; used if it is not 0
}

// Of is the amount where the whole is capacity.
func (a Amount) Of(capacity int64) int64 {
	if a.Share != 0 {
		return int64(a.Share * float64(capacity))
	}
	return a.Quantity
}

// Threshold is met while less of a signal is available than its amount.
type Threshold struct {
	Signal Signal
	Amount Amount
	// Grace is how long it must be met before pods are ended: soft; 0 is hard.
	Grace time.Duration
	// Reclaim is how much more than the amount must be available again.
	Reclaim Amount
}

// Config says when to act. The zero value never does.
type Config struct {
	Thresholds []Threshold
	// Transition is how long a condition stays after its signal has recovered.
	Transition time.Duration
	// MaxGrace is how long pods have to end for soft thresholds, at most; 0 is no time.
	MaxGrace time.Duration
}

// Settings are a Config as flags have it: "memory.available<100Mi", and by signal.
type Settings struct {
	Hard, Soft         []string
	SoftGrace, Reclaim map[string]string
	Transition         time.Duration
	MaxGrace           time.Duration
}

// Parse reads s.
func Parse(s Settings) (Config, error) {
	c := Config{Transition: s.Transition, MaxGrace: s.MaxGrace}
	grace := map[Signal]time.Duration{}
	for _, name := range slices.Sorted(maps.Keys(s.SoftGrace)) {
		signal, err := signalOf(name)
		if err != nil {
			return c, fmt.Errorf("soft grace period: %w", err)
		}
		d, err := time.ParseDuration(s.SoftGrace[name])
		if err != nil || d <= 0 {
			return c, fmt.Errorf("soft grace period of %s: %q is not a time like 1m30s", name, s.SoftGrace[name])
		}
		grace[signal] = d
	}
	reclaim := map[Signal]Amount{}
	for _, name := range slices.Sorted(maps.Keys(s.Reclaim)) {
		signal, err := signalOf(name)
		if err != nil {
			return c, fmt.Errorf("minimum reclaim: %w", err)
		}
		if reclaim[signal], err = amountOf(s.Reclaim[name]); err != nil {
			return c, fmt.Errorf("minimum reclaim of %s: %w", name, err)
		}
	}
	for _, list := range []struct {
		soft bool
		from []string
	}{{false, s.Hard}, {true, s.Soft}} {
		seen := map[Signal]bool{}
		for _, text := range list.from {
			t, err := thresholdOf(text)
			if err != nil {
				return c, err
			}
			if seen[t.Signal] {
				return c, fmt.Errorf("threshold %q: there is one for %s already", text, t.Signal)
			}
			seen[t.Signal] = true
			if list.soft {
				if t.Grace = grace[t.Signal]; t.Grace == 0 {
					return c, fmt.Errorf("soft threshold %q: it needs a grace period too", text)
				}
			}
			t.Reclaim = reclaim[t.Signal]
			c.Thresholds = append(c.Thresholds, t)
		}
	}
	return c, nil
}

func signalOf(name string) (Signal, error) {
	if _, ok := meanings[Signal(name)]; !ok {
		return "", fmt.Errorf("there is no signal %q; there are %v", name, slices.Sorted(maps.Keys(meanings)))
	}
	return Signal(name), nil
}

func thresholdOf(text string) (t Threshold, err error) {
	name, amount, ok := strings.Cut(text, "<")
	if !ok {
		return t, fmt.Errorf("threshold %q: it should be like memory.available<100Mi", text)
	}
	if t.Signal, err = signalOf(name); err != nil {
		return t, fmt.Errorf("threshold %q: %w", text, err)
	}
	if t.Amount, err = amountOf(amount); err != nil {
		return t, fmt.Errorf("threshold %q: %w", text, err)
	}
	return t, nil
}

func amountOf(text string) (Amount, error) {
	if p, ok := strings.CutSuffix(text, "%"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil || f < 0 || f > 100 {
			return Amount{}, fmt.Errorf("%q is not a share between 0%% and 100%%", text)
		}
		return Amount{Share: f / 100}, nil
	}
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Sign() < 0 {
		return Amount{}, fmt.Errorf("%q is not an amount like 100Mi or 10%%", text)
	}
	return Amount{Quantity: q.Value()}, nil
}
