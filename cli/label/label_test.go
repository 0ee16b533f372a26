package label

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name    string
		args    string
		objects string
		set     int
		remove  string
		bad     bool
	}{
		{"set", "pod web app=x tier=y", "pod web", 2, "", false},
		{"remove", "pod/web app-", "pod/web", 0, "app", false},
		{"both", "pod web a=1 b-", "pod web", 1, "b", false},
		{"a name with dashes", "pod web-1-x a=1", "pod web-1-x", 1, "", false},
		{"value with equals signs", "pod web a=b=c", "pod web", 1, "", false},
		{"empty value", "pod web a=", "pod web", 1, "", false},
		{"object after change", "pod a=1 web", "", 1, "", true},
		{"set and remove the same", "pod web a=1 a-", "", 1, "a", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, c, err := split(strings.Fields(tt.args))
			if (err != nil) != tt.bad {
				t.Fatalf("error %v", err)
			}
			if strings.Join(objects, " ") != tt.objects || len(c.set) != tt.set || strings.Join(c.remove, " ") != tt.remove {
				t.Fatalf("got %v, %v", objects, c)
			}
		})
	}
}
