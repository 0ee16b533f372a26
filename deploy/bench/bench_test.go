package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSplice(t *testing.T) {
	page := "# Title\n\n" + begin + "\nold\n" + end + "\n\nrest\n"
	want := "# Title\n\n" + begin + "\n\nnew\n\n" + end + "\n\nrest\n"
	got, err := splice(page, "new\n")
	if err != nil || got != want {
		t.Fatalf("splice: %v\n%s", err, got)
	}
	if again, err := splice(got, "new"); err != nil || again != want {
		t.Errorf("splicing twice differs: %v\n%s", err, again)
	}
	for _, bad := range []string{"", begin, end + begin} {
		if _, err := splice(bad, "new"); err == nil {
			t.Errorf("splice of %q succeeded", bad)
		}
	}
}

func TestSample(t *testing.T) {
	var hundred sample
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"median of none", sample{}.median(), 0},
		{"median of three", sample{3, 1, 2}.median(), 2},
		{"median of four", sample{4, 1, 2, 8}.median(), 3},
		{"p50", hundred.quantile(0.5), 51 * time.Millisecond},
		{"p99", hundred.quantile(0.99), 100 * time.Millisecond},
		{"p100", hundred.quantile(1), 100 * time.Millisecond},
		{"quantile of none", sample{}.quantile(0.5), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestShow(t *testing.T) {
	for d, want := range map[time.Duration]string{
		270 * time.Microsecond:   "0.27 ms",
		9440 * time.Microsecond:  "9.44 ms",
		326 * time.Millisecond:   "326 ms",
		1520 * time.Millisecond:  "1.52 s",
		16900 * time.Millisecond: "16.9 s",
	} {
		if got := show(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
	}
}

func TestRatioRow(t *testing.T) {
	s := starts{raw: sample{100, 100, 200}, skerry: sample{110, 130, 220}}
	rows := s.rows("1 pod")
	got := rows[2]
	if got.result != "1.30" || got.spread != "1.10–1.30" || got.met {
		t.Errorf("ratio row is %+v", got)
	}
}

func TestField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(path, []byte("Name:\tskerry\nVmRSS:\t   74680 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := field(path, "VmRSS"); err != nil || got != 74680 {
		t.Errorf("VmRSS is %d, %v", got, err)
	}
	if _, err := field(path, "VmHWM"); err == nil {
		t.Error("a field that is not there was found")
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(parts) {
		t.Errorf("no choice is %d parts, %v", len(all), err)
	}
	two, err := choose("heal,start")
	if err != nil || len(two) != 2 || two[0].name != "start" {
		t.Errorf("two parts are %v, %v", two, err)
	}
	if _, err := choose("start,fast"); err == nil {
		t.Error("a part that is not there was chosen")
	}
}
