package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/skerry/skerry/schemas"
)

const (
	// keptText is how many bytes of objects' texts are kept for the next list, and
	// keptTextFor how long after the first of them was rendered.
	keptText    = 8 << 20
	keptTextFor = 10 * time.Second
)

// texts has the texts of objects that were listed just now: who lists often, or many who
// list at once, mostly get the same ones again, and rendering them is most of a list. An
// object of a copy is never changed, only replaced, so that its text holds as long as it
// does. Safe for concurrent use.
type texts struct {
	mu    sync.RWMutex
	of    map[schemas.Object][]byte
	bytes int
}

// all returns the texts of objs, and how long they are together.
func (t *texts) all(r schemas.Resource, objs []schemas.Object) (items [][]byte, size int, err error) {
	items = make([][]byte, len(objs))
	var missing []int
	t.mu.RLock()
	for i, o := range objs {
		if items[i] = t.of[o]; items[i] == nil {
			missing = append(missing, i)
		}
		size += len(items[i])
	}
	t.mu.RUnlock()
	for _, i := range missing {
		if items[i], err = text(objs[i]); err != nil {
			return nil, 0, fmt.Errorf("encode %s: %w", schemas.RefOf(r, objs[i]), err)
		}
		size += len(items[i])
	}
	t.keep(objs, items, missing)
	return items, size, nil
}

// keep remembers the items that were missing, as far as there is room.
func (t *texts) keep(objs []schemas.Object, items [][]byte, missing []int) {
	if len(missing) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[schemas.Object][]byte{}
		time.AfterFunc(keptTextFor, t.forget)
	}
	for _, i := range missing {
		if _, known := t.of[objs[i]]; !known && t.bytes+len(items[i]) <= keptText {
			t.of[objs[i]] = items[i]
			t.bytes += len(items[i])
		}
	}
}

func (t *texts) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of, t.bytes = nil, 0
}

func text(o schemas.Object) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(o); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
