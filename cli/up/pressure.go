//go:build linux

package up

import (
	"time"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/services/agent/eviction"
)

// Pressure are the flags that say when pods are ended for the node's sake, by the kubelet's
// names.
type Pressure struct {
	PodMaxPids  int64             `help:"How many processes a container may have; 0 is no limit." default:"0" placeholder:"N"`
	Hard        []string          `name:"eviction-hard" help:"Thresholds at which pods are ended at once; \"none\" is none." default:"memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%" placeholder:"SIGNAL<AMOUNT"`
	Soft        []string          `name:"eviction-soft" help:"Thresholds at which pods are ended after a grace period." placeholder:"SIGNAL<AMOUNT"`
	SoftGrace   map[string]string `name:"eviction-soft-grace-period" mapsep:"," help:"That grace period." placeholder:"SIGNAL=DURATION"`
	Transition  time.Duration     `name:"eviction-pressure-transition-period" help:"How long a condition of pressure stays after its signal has recovered." default:"5m" placeholder:"DURATION"`
	MinReclaim  map[string]string `name:"eviction-minimum-reclaim" mapsep:"," help:"How much more than the threshold must be free again." placeholder:"SIGNAL=AMOUNT"`
	MaxPodGrace int64             `name:"eviction-max-pod-grace-period" help:"How many seconds pods have to end at soft thresholds, at most." default:"0" placeholder:"SECONDS"`
}

// Validate refuses what config cannot read, before anything is started.
func (p *Pressure) Validate() error {
	_, err := p.config()
	return err
}

// config reads the flags.
func (p *Pressure) config() (eviction.Config, error) {
	hard := p.Hard
	if len(hard) == 1 && hard[0] == "none" {
		hard = nil
	}
	c, err := eviction.Parse(eviction.Settings{
		Hard: hard, Soft: p.Soft, SoftGrace: p.SoftGrace, Reclaim: p.MinReclaim,
		Transition: p.Transition, MaxGrace: time.Duration(p.MaxPodGrace) * time.Second,
	})
	if err != nil {
		return c, failure.AsUsage(err)
	}
	return c, nil
}
