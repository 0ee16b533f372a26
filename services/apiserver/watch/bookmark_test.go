package watch

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestBookmarksAreDue: one a minute, and one shortly before the end, for those that allow them.
func TestBookmarksAreDue(t *testing.T) {
	begun := time.Unix(0, 0)
	seconds := func(n int64) *int64 { return &n }
	for _, tc := range []struct {
		what    string
		options metav1.ListOptions
		want    []time.Duration
	}{
		{"not allowed", metav1.ListOptions{TimeoutSeconds: seconds(150)}, nil},
		{"without an end", metav1.ListOptions{AllowWatchBookmarks: true}, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}},
		{"short", metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: seconds(4)}, []time.Duration{3 * time.Second, time.Minute, 2 * time.Minute}},
		{"long", metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: seconds(150)}, []time.Duration{time.Minute, 2 * time.Minute, 148 * time.Second}},
	} {
		w := &Watcher{options: &tc.options}
		w.schedule(begun)
		if len(tc.want) == 0 && !w.until().IsZero() {
			t.Errorf("%s: due at %s", tc.what, w.until())
		}
		for i, want := range tc.want {
			at := w.until()
			if at.Sub(begun) != want {
				t.Fatalf("%s: bookmark %d is due after %s, want %s", tc.what, i, at.Sub(begun), want)
			}
			if w.due(at.Add(-1)) || !w.due(at) || w.due(at) {
				t.Errorf("%s: bookmark %d is due at another time than it says, or twice", tc.what, i)
			}
		}
	}
}
