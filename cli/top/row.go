package top

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/metric"
)

// row is one line with its figures.
type row struct {
	names []string // what it is sorted by, if by nothing else
	metric.Figures
	cpu, memory int64 // that a node has
}

// order sorts rows: by a figure, the most first, or by name.
func order(rows []row, by string) {
	slices.SortStableFunc(rows, func(a, b row) int {
		switch by {
		case "cpu":
			if a.CPU != b.CPU {
				return more(a.CPU, b.CPU)
			}
		case "memory":
			if a.Memory != b.Memory {
				return more(a.Memory, b.Memory)
			}
		}
		return slices.Compare(a.names, b.names)
	})
}

func more(a, b int64) int {
	if a > b {
		return -1
	}
	return 1
}

// cores is kubectl's form: thousandths of a core.
func cores(nano int64) string { return fmt.Sprintf("%dm", (nano+999_999)/1_000_000) }

// mebibytes is kubectl's form.
func mebibytes(n int64) string { return fmt.Sprintf("%dMi", n>>20) }

// share is use in percent of what there is.
func share(use, have int64) string {
	if have <= 0 {
		return "<unknown>"
	}
	return fmt.Sprintf("%d%%", int64(float64(use)/float64(have)*100))
}

// why is an error in a few words.
func why(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, bus.ErrUnreachable):
		return "no agent answers"
	}
	return err.Error()
}
