package guess

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"image", "imagePullPolicy", "ports", "name", "command", "args"}
	for name, want := range map[string]string{
		"imagee": "image", "iamge": "image", "Image": "image", "port": "ports", "comand": "command", "imagepullpolicy": "imagePullPolicy",
		"volumes": "", "x": "", "": "", "replicas": "",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s, %s: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
