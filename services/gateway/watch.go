package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/accept"
	"github.com/skerry/skerry/services/gateway/table"
)

// following is a watch that has begun.
type following struct {
	s        *server
	r        *http.Request
	out      http.ResponseWriter
	watching *api.Watching
	turn     func(event []byte) ([]byte, error)
	free     []func()
	begun    bool
}

// watch begins a watch, and leaves its events to the rest of the exchange.
func (x *exchange) watch(k *schemas.Kind, req *api.Request) error {
	choice, err := x.choose(req)
	if err != nil {
		return err
	}
	turn, err := x.turn(k, choice)
	if err != nil {
		return err
	}
	leave, err := x.s.lasting.Enter(x.who.User)
	if err != nil {
		return err
	}
	w, err := x.s.open(x.r.Context(), req)
	if err != nil {
		leave()
		return err
	}
	x.w.Header().Set("Content-Type", "application/json")
	f := &following{s: x.s, r: x.r, out: x.w, watching: w, turn: turn, free: []func(){w.Close, leave}}
	for _, over := range []context.Context{x.r.Context(), x.s.stopping} {
		stop := context.AfterFunc(over, w.Nudge)
		f.free = append(f.free, func() { stop() })
	}
	x.rest = f
	return nil
}

// open begins a watch unless the gateway stops meanwhile.
func (s *server) open(ctx context.Context, req *api.Request) (*api.Watching, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return s.client.OpenWatch(ctx, req)
}

// send sends the events that have come, one JSON document a line, and before the first one the
// answer's head. It tells whether there may be more; if not, the watch is over.
func (f *following) send() (on bool) {
	defer func() {
		if !on {
			for _, free := range f.free {
				free()
			}
		}
	}()
	defer f.s.caught(f.r, func() {})
	if !f.begun {
		f.begun = true
		f.out.WriteHeader(http.StatusOK)
		if http.NewResponseController(f.out).Flush() != nil {
			return false // the client has left
		}
	}
	for f.watching.Pending() {
		if f.s.stopping.Err() != nil || !f.next() {
			return false
		}
	}
	return f.r.Context().Err() == nil && f.s.stopping.Err() == nil
}

// next sends one event, and tells whether there may be more.
func (f *following) next() bool {
	ctx := f.r.Context()
	event, err := f.watching.Next(ctx)
	switch {
	case ended(err) || ctx.Err() != nil:
		return false
	case err != nil:
		// The headers are out: an error is an event.
		event = failed(err)
	default:
		if event, err = f.turn(event); err != nil {
			event = failed(err)
		}
	}
	defer bound(f.out, f.s.Limits.Write)()
	if _, werr := f.out.Write(append(event, '\n')); werr != nil {
		return false // the client has left
	}
	return http.NewResponseController(f.out).Flush() == nil && err == nil
}

// ended tells whether a watch is over without a word of the apiserver on it: by its regular
// end, or because the apiserver that served it stops or is gone. As with Kubernetes the
// stream just ends then, and an informer watches on from where it was, where an error would
// make it list.
func ended(err error) bool {
	var said apierrors.APIStatus
	return err != nil && (!errors.As(err, &said) || apierrors.IsServiceUnavailable(err))
}

func failed(err error) []byte {
	b, jerr := json.Marshal(api.WatchEvent{Type: "ERROR", Object: status.Encode(err)})
	if jerr != nil { // a Status can be encoded
		return []byte(`{"type":"ERROR","object":{}}`)
	}
	return b
}

// turn returns what makes an event into the form that the client asked for.
func (x *exchange) turn(k *schemas.Kind, choice accept.Choice) (func([]byte) ([]byte, error), error) {
	var object func(raw []byte) ([]byte, error)
	switch choice.As {
	case accept.Table:
		policy, err := include(x.r)
		if err != nil {
			return nil, err
		}
		first := true
		object = func(raw []byte) ([]byte, error) {
			t, err := table.Row(k, raw, policy, first)
			first = false
			return t, err
		}
	case accept.Partial:
		object = table.Partial
	default:
		return func(event []byte) ([]byte, error) { return event, nil }, nil
	}
	return func(event []byte) ([]byte, error) {
		var e api.WatchEvent
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, err
		}
		if e.Type == "ERROR" {
			return event, nil
		}
		out, err := object(e.Object)
		if err != nil {
			return nil, err
		}
		return json.Marshal(metav1.WatchEvent{Type: e.Type, Object: runtime.RawExtension{Raw: out}})
	}, nil
}
