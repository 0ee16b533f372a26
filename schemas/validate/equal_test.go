package validate_test

import (
	"encoding/json"
	"testing"
)

// equalJSON compares what would be stored: a quantity caches its text when printed.
func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}
