// Package live draws a few lines on a terminal and redraws them in place.
//
// It writes to the terminal only. What always holds: what was drawn last stays
// when the screen is closed, so the scrollback reads like a log.
package live

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/skerry/skerry/cli/session"
)

// Screen is a number of blocks of lines. Safe for concurrent use.
type Screen struct {
	mu     sync.Mutex
	w      io.Writer
	width  func() int
	order  []string
	blocks map[string][]string
	drawn  int
}

// New returns a screen on env's stdout.
func New(env session.Env) *Screen {
	width := func() int { return 0 }
	if env.Terminal != nil {
		width = func() int { w, _ := env.Terminal.Size(); return w }
	}
	return &Screen{w: env.Stdout, width: width, blocks: map[string][]string{}}
}

// Set replaces the lines of a block and redraws. Blocks stand in the order of
// their first appearance.
func (s *Screen) Set(block string, lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blocks[block]; !ok {
		s.order = append(s.order, block)
	} else if slices.Equal(s.blocks[block], lines) {
		return
	}
	s.blocks[block] = slices.Clone(lines)
	s.draw()
}

// Close ends drawing; the lines stay.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = 0
}

func (s *Screen) draw() {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	b.WriteString("\r\x1b[J")
	s.drawn = 0
	for _, name := range s.order {
		for _, line := range s.blocks[name] {
			b.WriteString(cut(line, s.width()) + "\n")
			s.drawn++
		}
	}
	_, _ = io.WriteString(s.w, b.String()) // progress: a terminal that is gone misses nothing
}

// cut shortens line to width, because a line that wraps would break the redraw.
func cut(line string, width int) string {
	r := []rune(line)
	if width <= 1 || len(r) < width {
		return line
	}
	return string(r[:width-2]) + "…"
}
