package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skerry/skerry/bus/store"
)

func entries() []store.Entry {
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	return []store.Entry{
		{Key: "assigned.n1.shop.web", Revision: 3, Created: at, Value: []byte(`{"a":"b"}`)},
		{Key: "assigned.n1.shop.db", Revision: 5, Deleted: true, Created: at},
		{Key: "assigned.n1.shop.not-json", Revision: 6, Value: []byte("a\nb\x00")},
		{Key: "assigned.n1.shop.spaced", Revision: 7, Value: []byte("{ \"a\" :\n \"<b>\" }")},
		{Key: "assigned.n1.shop.null", Revision: 8, Value: []byte("null")},
		{Key: "assigned.n1.shop.empty", Revision: 9, Value: []byte{}},
	}
}

func TestStateRoundTrip(t *testing.T) {
	for _, want := range [][]store.Entry{nil, entries()} {
		b, err := EncodeState(want, 42)
		if err != nil {
			t.Fatal(err)
		}
		got, rev, err := DecodeState(b)
		if err != nil || rev != 42 || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v at %d, %v\nwant %+v", got, rev, err, want)
		}
	}
}

func TestStateMalformed(t *testing.T) {
	whole, err := EncodeState(entries(), 42)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for name, b := range map[string][]byte{
		"empty":    nil,
		"no head":  []byte("x\n"),
		"cut":      whole[:len(whole)/2],
		"one less": bytes.Join(lines[:len(lines)-2], nil),
		"one more": append(bytes.Clone(whole), lines[1]...),
	} {
		if _, _, err := DecodeState(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStateLister(t *testing.T) {
	c := served(t, 1, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		if r.Verb != VerbState || !reflect.DeepEqual(r.Filters, []string{"assigned.n1.>"}) {
			t.Errorf("got %+v", r)
		}
		b, err := EncodeState(entries(), 42)
		return &Reply{Body: b}, err
	}})
	got, rev, err := c.StateLister().List(testContext(t), "assigned.n1.>")
	if err != nil || rev != 42 || !reflect.DeepEqual(got, entries()) {
		t.Errorf("got %+v at %d, %v", got, rev, err)
	}
}

// TestNewer: whether something is newer is asked without the entries; an apiserver that does
// not know the question is taken to have something.
func TestNewer(t *testing.T) {
	old := false
	c := served(t, 1, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		if r.Verb != VerbState || r.Since != 40 || !reflect.DeepEqual(r.Filters, []string{"assigned.n1.>"}) {
			t.Errorf("got %+v", r)
		}
		b, err := EncodeNewer(41, 42)
		if old {
			b, err = EncodeState(entries(), 42)
		}
		return &Reply{Body: b}, err
	}})
	asker, ok := c.StateLister().(store.Asker)
	if !ok {
		t.Fatal("it cannot be asked")
	}
	if newer, last, err := asker.Newer(testContext(t), 40, "assigned.n1.>"); newer != 41 || last != 42 || err != nil {
		t.Errorf("%d, %d, %v", newer, last, err)
	}
	old = true
	if newer, last, err := asker.Newer(testContext(t), 40, "assigned.n1.>"); newer <= 40 || last < newer || err != nil {
		t.Errorf("of an older apiserver: %d, %d, %v", newer, last, err)
	}
}

func FuzzDecodeState(f *testing.F) {
	b, err := EncodeState(entries(), 42)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{\"revision\":1,\"count\":1}\n{\"key\":\"a\",\"bytes\":\"\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, rev, err := DecodeState(b)
		if err != nil {
			return
		}
		again, err := EncodeState(got, rev)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		got2, rev2, err := DecodeState(again)
		if err != nil || rev2 != rev || len(got2) != len(got) {
			t.Fatalf("%d entries at %d came back as %d at %d, %v", len(got), rev, len(got2), rev2, err)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add("api.admin.get.pods", []byte(`{"namespace":"shop","timeoutMillis":5}`), []byte("{}"))
	f.Add("api.system=3anode=3an1.patch.apps/deployments", []byte(`null`), []byte(nil))
	f.Add("api.a.b.c.d", []byte(`[`), []byte(nil))
	f.Fuzz(func(t *testing.T, subject string, head, body []byte) {
		r, timeout, err := decodeRequest(subject, head, body)
		if err != nil {
			return
		}
		if timeout <= 0 || timeout > requestTimeout {
			t.Fatalf("timeout %s", timeout)
		}
		if _, err := encodeRequest(r, timeout); err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add([]byte(`{"warnings":["w"],"created":true,"stream":"x","peer":"y"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeReply(b)
		if err != nil {
			return
		}
		if _, err := encodeReply(h); err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"type":"ADDED","object":{"a":1}}`))
	f.Add(appendEvent(nil, WatchEvent{Type: "BOOKMARK"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEvent(b)
		if err != nil {
			return
		}
		_, _ = decodeObject(table(), stateResource, e.Object)
	})
}

func FuzzDecodeList(f *testing.F) {
	f.Add([]byte(`{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = decodeList(table(), stateResource, b)
	})
}

// TestSendEvent: events of many watchers at once are each of its own text, whatever memory it
// is made in.
func TestSendEvent(t *testing.T) {
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				e := WatchEvent{Type: "ADDED", Object: fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, strings.Repeat("x", i*n*100))}
				err := sendEvent(e, func(text []byte) error {
					runtime.Gosched()
					got, err := decodeEvent(text)
					if err == nil && (got.Type != e.Type || !bytes.Equal(got.Object, e.Object)) {
						err = fmt.Errorf("%.80s, want %.80s", got.Object, e.Object)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	failed := errors.New("not sent")
	if err := sendEvent(WatchEvent{Type: "BOOKMARK"}, func(text []byte) error {
		if string(text) != `{"type":"BOOKMARK","object":null}` {
			t.Errorf("%s", text)
		}
		return failed
	}); err != failed {
		t.Error(err)
	}
}
