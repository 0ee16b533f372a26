package copy

import "testing"

func TestSkip(t *testing.T) {
	for n, want := range map[int64]string{0: "abcdefgh", 1: "bcdefgh", 3: "defgh", 4: "efgh", 8: "", 9: ""} {
		got := ""
		write := skip(n, func(p []byte) error {
			if len(p) == 0 {
				t.Error("an empty piece is sent")
			}
			got += string(p)
			return nil
		})
		for _, piece := range []string{"abc", "", "de", "fgh"} {
			if err := write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Errorf("without %d: %q, want %q", n, got, want)
		}
	}
}
