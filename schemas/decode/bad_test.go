package decode_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/decode/decodetest"
	"github.com/skerry/skerry/schemas/kinds"
)

// judge returns all errors that apply would show: decoding's, or else validation's.
func judge(src string) (decode.Errors, error) {
	docs, err := decode.Manifests(kinds.Table(), "bad.yaml", []byte(src))
	var list decode.Errors
	if err != nil && !errors.As(err, &list) {
		return nil, fmt.Errorf("the error is a %T", err)
	}
	for _, d := range docs {
		list = append(list, complete(d)...)
	}
	for _, e := range list {
		if e.Line < 1 || e.Column < 1 || e.Source != "bad.yaml" || e.Message == "" {
			return nil, fmt.Errorf("incomplete error: %w", e)
		}
		if e.Text == "" && strings.TrimSpace(src) != "" && e.Line == 1 && e.Column > 1 {
			return nil, fmt.Errorf("no source line in: %w", e)
		}
	}
	return list, nil
}

func TestGeneratedBadManifests(t *testing.T) {
	total := 0
	for name, data := range goodFiles(t) {
		docs, err := decode.Manifests(kinds.Table(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			for _, b := range decodetest.Mutations(t, d) {
				total++
				list, err := judge(b.Source)
				if err != nil {
					t.Errorf("%s: %v", b.Name, err)
					continue
				}
				if len(list) == 0 {
					t.Errorf("%s: no error:\n%s", b.Name, b.Source)
				} else if !strings.Contains(list.Error(), b.Mention) {
					t.Errorf("%s: the error does not mention %s:\n%s", b.Name, b.Mention, list)
				}
			}
		}
	}
	t.Logf("%d bad manifests", total)
	if total < 400 {
		t.Errorf("only %d bad manifests were generated", total)
	}
}

func TestHostileInput(t *testing.T) {
	for _, b := range decodetest.Hostile() {
		t.Run(b.Name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			list, err := judge(b.Source)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 || !strings.Contains(list.Error(), b.Mention) {
				t.Errorf("want an error about %q, got %.500s", b.Mention, list.Error())
			}
			if len(list) > 200 || len(list.Error()) > 200*1000 {
				t.Errorf("%d errors with %d bytes", len(list), len(list.Error()))
			}
			if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 512 {
				t.Errorf("%d MiB were allocated", spent)
			}
		})
	}
}

// Every good file, cut anywhere, gives objects or errors with positions.
func TestTruncated(t *testing.T) {
	for name, data := range goodFiles(t) {
		failed := 0
		for end := 0; end < len(data); end += 7 {
			list, err := judge(string(data[:end]))
			if err != nil {
				t.Errorf("%s cut at %d: %v", name, end, err)
			}
			if len(list) > 0 {
				failed++
			}
		}
		if failed == 0 {
			t.Errorf("%s: no cut was noticed", name)
		}
	}
}

// FuzzManifests decodes what it is given as manifests, and as an object of one kind: the kind-th.
func FuzzManifests(f *testing.F) {
	for _, data := range goodFiles(f) {
		f.Add(data, uint8(0))
	}
	for i, b := range decodetest.Hostile() {
		if len(b.Source) < 4096 {
			f.Add([]byte(b.Source), uint8(i))
		}
	}
	all := kinds.Table().All()
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		if _, err := judge(string(data)); err != nil {
			t.Error(err)
		}
		k := all[int(kind)%len(all)]
		obj, _, err := decode.Strict(k, data)
		if err == nil && obj.GetObjectKind().GroupVersionKind() != k.GroupVersionKind() {
			t.Errorf("decoded a %s for a %s", obj.GetObjectKind().GroupVersionKind(), k.GroupVersionKind())
		}
	})
}
