package remote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestRequestsSurviveTheWire(t *testing.T) {
	want := Exec{Pod: Pod{Namespace: "a", Name: "b", UID: "c"}, PodExecOptions: v1.PodExecOptions{Container: "d", Command: []string{"e"}, TTY: true}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse[Exec](b)
	if err != nil || got.Pod != want.Pod || got.Container != "d" || len(got.Command) != 1 || !got.TTY {
		t.Fatalf("%s became %+v, %v", b, got, err)
	}
	for _, bad := range []string{"", "[]", `{"name":1}`, "null!"} {
		if _, err := Parse[Exec]([]byte(bad)); !apierrors.IsBadRequest(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Parse[Logs]([]byte(`{"name":"` + strings.Repeat("x", maxRequest) + `"}`)); !apierrors.IsRequestEntityTooLargeError(err) {
		t.Errorf("a huge request: %v", err)
	}
}

func TestOutcome(t *testing.T) {
	for code := range 256 {
		b, err := json.Marshal(Outcome(code, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ExitCode(b); err != nil || got != code {
			t.Errorf("code %d became %d, %v", code, got, err)
		}
	}
	b, err := json.Marshal(Outcome(0, errors.New("no such file")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExitCode(b); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"", "[]", `{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}`} {
		if _, err := ExitCode([]byte(bad)); err == nil {
			t.Errorf("%q is an exit code", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"namespace":"a","name":"b","command":["x"],"tty":true}`))
	f.Add([]byte(`{"port":80,"tailLines":-1,"sinceTime":"2026-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, errs := Parse[Exec](b)
		_, errl := Parse[Logs](b)
		_, errf := Parse[Forward](b)
		_, errc := Parse[Copy](b)
		for _, err := range []error{errs, errl, errf, errc} {
			if err != nil && !apierrors.IsBadRequest(err) {
				t.Errorf("not a bad request: %v", err)
			}
		}
		_, _ = ExitCode(b)
	})
}
