package store

import "testing"

// TestNoSecondList: while the first list is under way, however long that takes, a look at what was missed asks for no other.
func TestNoSecondList(t *testing.T) {
	w := &watch{busy: true, asker: &Store{}, state: newState()}
	if w.check(t.Context()); w.dirty {
		t.Error("another list is due")
	}
}
