package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/member"
)

// tries bounds how often a probe that could not be tried is tried again at once.
const tries = 3

// try runs a check once, when there is a slot for it, and counts what came of it.
func (p *Prober) try(ctx context.Context, c *check) {
	slots := p.net
	if c.spec.Exec != nil {
		slots = p.exec
	}
	outcome, text := action.Unknown, ""
	select {
	case slots <- struct{}{}:
		outcome, text = p.do(ctx, c)
		<-slots
	case <-c.run.ctx.Done():
	case <-ctx.Done():
	}
	changed, gone := p.done(c, outcome)
	if gone || ctx.Err() != nil {
		return
	}
	p.say(c, outcome, text)
	if changed {
		p.notify(c.run.key)
	}
	p.nudge()
}

func (p *Prober) do(ctx context.Context, c *check) (outcome action.Outcome, text string) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	defer context.AfterFunc(c.run.ctx, cancel)()
	for range tries {
		if outcome, text = p.doer.Do(ctx, p.targetOf(c), c.handler()); outcome != action.Unknown {
			break
		}
	}
	return outcome, text
}

func (p *Prober) targetOf(c *check) action.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.run.target.Target
}

// done counts a result and queues the check again. One that could not be tried counts nothing.
func (p *Prober) done(c *check, outcome action.Outcome) (changed, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.busy = false
	if c.run.ctx.Err() != nil {
		return false, true
	}
	if outcome != action.Unknown {
		changed = c.take(outcome != action.Failure)
	}
	if now := time.Now(); c.wanted() {
		if c.next = c.next.Add(c.period()); c.next.Before(now) {
			c.next = now
		}
		p.push(c)
	}
	if changed {
		p.schedule(c.run) // the startup probe lets the others begin
	}
	return changed, false
}

// say records what is worth an event.
func (p *Prober) say(c *check, outcome action.Outcome, text string) {
	p.mu.Lock()
	pod := c.run.target.Pod
	p.mu.Unlock()
	at := member.PathOf(pod, c.run.target.Container.Name)
	text = strings.ToValidUTF8(text, "\uFFFD")
	switch outcome {
	case action.Failure:
		p.recorder.EventAt(pod, at, v1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %s", c.kind, text))
	case action.Warning:
		p.recorder.EventAt(pod, at, v1.EventTypeWarning, "ProbeWarning", fmt.Sprintf("%s probe warning: %s", c.kind, text))
	case action.Unknown:
		p.recorder.EventAt(pod, at, v1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe errored and resulted in unknown state: %s", c.kind, text))
	}
}
