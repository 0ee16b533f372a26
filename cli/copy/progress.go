package copy

import (
	"fmt"
	"io"
	"time"

	"github.com/skerry/skerry/cli/live"
	"github.com/skerry/skerry/cli/session"
)

// progress shows on a terminal how far a copy is.
type progress struct {
	screen *live.Screen // nil: nobody looks
	label  string
	total  int64 // 0: not known
	now    func() time.Time

	begun, shown time.Time
	bytes        int64
}

// showEvery is often enough for an eye.
const showEvery = 200 * time.Millisecond

func newProgress(s *session.Session, label string, total int64) *progress {
	p := &progress{label: label, total: total, now: s.Now, begun: s.Now()}
	if s.Terminal != nil {
		p.screen = live.New(s.Env)
	}
	return p
}

// reader counts what is read of r.
func (p *progress) reader(r io.Reader) io.Reader { return &counted{r, p} }

type counted struct {
	r io.Reader
	p *progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.add(int64(n))
	return n, err
}

func (p *progress) add(n int64) {
	if p == nil {
		return
	}
	p.bytes += n
	if p.screen == nil {
		return
	}
	if now := p.now(); now.Sub(p.shown) >= showEvery {
		p.shown = now
		p.show(now)
	}
}

// done shows how it ended.
func (p *progress) done() {
	if p.screen != nil && !p.shown.IsZero() {
		p.show(p.now())
		p.screen.Close()
	}
}

func (p *progress) show(now time.Time) {
	p.screen.Set("", []string{p.line(now)})
}

func (p *progress) line(now time.Time) string {
	line := p.label + "  " + size(p.bytes)
	if p.total > 0 {
		line += fmt.Sprintf(" of %s  %d%%", size(p.total), min(100, 100*p.bytes/p.total))
	}
	if s := now.Sub(p.begun).Seconds(); s > 0 {
		line += fmt.Sprintf("  %s/s", size(int64(float64(p.bytes)/s)))
	}
	return line
}

// size renders bytes with a unit and at most one decimal.
func size(n int64) string {
	f, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if i == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
