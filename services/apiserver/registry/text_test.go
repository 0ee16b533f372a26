package registry

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func listed(name, data string) schemas.Object {
	return &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"k": data}}
}

// TestTexts: an object is rendered once as long as it is that object, and for a while.
func TestTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var known texts
		all := func(objs ...schemas.Object) [][]byte {
			t.Helper()
			items, size, err := known.all(schemas.ConfigMaps, objs)
			if err != nil || size != len(bytes.Join(items, nil)) {
				t.Fatalf("%d bytes, %v", size, err)
			}
			return items
		}
		a, b := listed("a", "<1>"), listed("b", "1")
		first := all(a, b)
		if want := `{"metadata":{"name":"a"},"data":{"k":"<1>"}}`; string(first[0]) != want {
			t.Errorf("%s, want %s", first[0], want)
		}
		again := all(b, a)
		if &again[0][0] != &first[1][0] || &again[1][0] != &first[0][0] {
			t.Error("rendered again")
		}
		if got := all(listed("a", "2"), b); !strings.Contains(string(got[0]), `"2"`) {
			t.Errorf("another object of that name: %s", got[0])
		}
		large := listed("large", strings.Repeat("x", keptText))
		all(large)
		known.mu.Lock() // no Wait orders this before what the timer does
		if known.bytes > keptText {
			t.Errorf("%d bytes are kept", known.bytes)
		}
		known.mu.Unlock()
		time.Sleep(keptTextFor)
		synctest.Wait()
		if known.of != nil || known.bytes != 0 {
			t.Error("nothing is forgotten")
		}
		if later := all(a); &later[0][0] == &first[0][0] {
			t.Error("the text is still there")
		}
		time.Sleep(keptTextFor)
	})
}
