package bus

import (
	"context"
	"strings"
	"testing"
)

func TestTrace(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for in, want := range map[string]string{
		good:                        good,
		"":                          "",
		good + "x":                  "",
		strings.ToUpper(good):       "",
		good[:54] + "\n":            "",
		good[:35] + "+" + good[36:]: "",
	} {
		if got := TraceOf(WithTrace(context.Background(), in)); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}
