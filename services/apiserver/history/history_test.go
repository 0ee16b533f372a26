package history

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/skerry/skerry/bus/store"
)

func value(seq int, uid string, generation int, data string) kept {
	return kept{Sequence: store.Revision(seq), Value: json.RawMessage(fmt.Sprintf(
		`{"metadata":{"name":"c","uid":%q,"generation":%d},"data":{"k":%q},"writtenBy":{"user":"admin","time":"2030-01-01T00:00:00Z"}}`, uid, generation, data))}
}

func TestRevisions(t *testing.T) {
	all := []kept{value(1, "u1", 1, "a"), value(2, "u1", 1, "b"), value(4, "u1", 2, "c"), value(9, "u2", 1, "d")}
	got, err := revisions(all, true)
	if err != nil {
		t.Fatal(err)
	}
	var s string
	for _, r := range got {
		s += fmt.Sprintf("%d %v %v %s\n", r.Number, r.Deleted, r.Current, r.Object)
	}
	want := `1 false false {"data":{"k":"b"},"metadata":{"name":"c","uid":"u1","generation":1}}
2 true false {"data":{"k":"c"},"metadata":{"name":"c","uid":"u1","generation":2}}
1 false true {"data":{"k":"d"},"metadata":{"name":"c","uid":"u2","generation":1}}
`
	if s != want {
		t.Errorf("got\n%swant\n%s", s, want)
	}
	if got[0].User != "admin" || got[0].Time.IsZero() {
		t.Errorf("who and when: %+v", got[0])
	}
	gone, err := revisions(all, false)
	if err != nil || !gone[2].Deleted || gone[2].Current {
		t.Errorf("after the deletion: %+v, %v", gone, err)
	}
}
