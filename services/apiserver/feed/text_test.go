package feed

import (
	"testing"
	"time"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// TestTextIsKeptOfTheNewest: watchers share what an entry renders while it is young; a
// late one renders for itself, and nothing stays in memory.
func TestTextIsKeptOfTheNewest(t *testing.T) {
	clock := time.Unix(0, 0)
	h := hub(&clock)
	f := h.Feed(schemas.ConfigMaps)
	for rev := 10; rev < 10+2*keptTexts; rev++ {
		h.Handle(change(view.Modified, cm("a", rev), cm("a", rev-1), rev))
		e := f.entries[len(f.entries)-1]
		if _, err := e.JSON(); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, e := range f.entries {
		if e.now.data != nil {
			kept++
		}
	}
	if kept != keptTexts {
		t.Errorf("the text of %d of %d entries is kept", kept, len(f.entries))
	}
	late := f.entries[0]
	data, err := late.JSON()
	if err != nil || len(data) == 0 || late.now.data != nil {
		t.Errorf("an old entry renders %q, %v, and keeps %q", data, err, late.now.data)
	}
}
