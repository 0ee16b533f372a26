package store

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// TestPostedIsAnsweredOnce: by the first that tells what became of it.
func TestPostedIsAnsweredOnce(t *testing.T) {
	taken := &nats.Msg{Data: []byte(`{"stream":"KV_state","seq":7}`)}
	refused := &nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"KV_state","seq":0}`)}
	nobody := &nats.Msg{Header: nats.Header{headerStatus: []string{"503"}}}
	garbled := &nats.Msg{Data: []byte("{")}
	for _, tt := range []struct {
		name  string
		first *nats.Msg
		rev   Revision
		want  error
		sent  bool // it may have been stored
	}{
		{"stored", taken, 7, nil, false},
		{"refused", refused, 0, ErrConflict, false},
		{"nobody serves the bucket", nobody, 0, bus.ErrUnreachable, false},
		{"not to be understood", garbled, 0, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var revs []Revision
			var errs []error
			o := &office{prefix: "_INBOX.u.x.", waiting: map[string]*posted{
				"1": {answered: func(r Revision, err error) { revs, errs = append(revs, r), append(errs, err) }},
				"2": {answered: func(Revision, error) { t.Error("another write is answered") }},
			}}
			for _, m := range []*nats.Msg{tt.first, taken} {
				m.Subject = "_INBOX.u.x.1"
				o.receive(m)
			}
			o.answer("1", 0, sentError{errLost})
			if len(revs) != 1 || revs[0] != tt.rev {
				t.Fatalf("answers %v, want only %d", revs, tt.rev)
			}
			var sent sentError
			if errors.As(errs[0], &sent) != tt.sent || !tt.sent && !errors.Is(errs[0], tt.want) {
				t.Errorf("error %v, want %v", errs[0], tt.want)
			}
		})
	}
}

// TestPostedIsLost: with its connection, or when its time is up.
func TestPostedIsLost(t *testing.T) {
	now := time.Now()
	o := &office{waiting: map[string]*posted{
		"fresh":   {at: now, epoch: 2},
		"old":     {at: now.Add(-attemptTimeout - time.Second), epoch: 2},
		"another": {at: now, epoch: 1},
	}}
	for _, tt := range []struct {
		name string
		up   bool
		want []string
	}{
		{"connected", true, []string{"old", "another"}},
		{"away", false, []string{"fresh", "old", "another"}},
	} {
		gone := o.lost(tt.up, 2, now)
		if len(gone) != len(tt.want) {
			t.Errorf("%s: lost %v, want %v", tt.name, gone, tt.want)
		}
		for _, token := range tt.want {
			if gone[token] == nil {
				t.Errorf("%s: %s is not lost", tt.name, token)
			}
		}
	}
}
