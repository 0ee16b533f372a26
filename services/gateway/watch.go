package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/accept"
	"github.com/skerry/skerry/services/gateway/table"
)

// watch sends the events of a watch as they come, one JSON document a line.
func (x *exchange) watch(k *schemas.Kind, req *api.Request) error {
	choice, err := x.choose(req)
	if err != nil {
		return err
	}
	turn, err := x.turn(k, choice)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	defer context.AfterFunc(x.s.stopping, cancel)()
	w, err := x.s.client.OpenWatch(ctx, req)
	if err != nil {
		return err
	}
	defer w.Close()
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(x.w)
	if control.Flush() != nil {
		return nil // the client has left
	}
	for {
		event, err := w.Next(ctx)
		switch {
		case ended(err) || ctx.Err() != nil:
			return nil
		case err != nil:
			// The headers are out: an error is an event.
			event = failed(err)
		default:
			if event, err = turn(event); err != nil {
				event = failed(err)
			}
		}
		_ = control.SetWriteDeadline(time.Now().Add(x.s.Limits.Write))
		if _, werr := x.w.Write(append(event, '\n')); werr != nil {
			return nil //nolint:nilerr // the client has left
		}
		if control.Flush() != nil || err != nil {
			return nil
		}
	}
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
