package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/squeeze"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/services/gateway/accept"
)

// fail answers with err's Status.
func (x *exchange) fail(err error) {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		if errors.Is(err, bus.ErrUnreachable) {
			unavailable := apierrors.NewServiceUnavailable(err.Error())
			unavailable.ErrStatus.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
			err = unavailable
		} else if x.r.Context().Err() != nil {
			return // nobody waits
		}
	}
	st := status.Of(err)
	if st.Details != nil && st.Details.RetryAfterSeconds > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(st.Details.RetryAfterSeconds)))
	}
	if st.Code == http.StatusUnauthorized {
		x.w.Header().Set("WWW-Authenticate", `Bearer realm="skerry"`)
	}
	choice, _ := accept.Choose(x.r.Header.Get("Accept"))
	x.write(int(st.Code), status.Encode(err), accept.Choice{YAML: choice.YAML})
}

// reply answers with v as JSON, or as the client wants it.
func (x *exchange) reply(code int, v any) error {
	choice, ok := accept.Choose(x.r.Header.Get("Accept"))
	if !ok {
		return notAcceptable()
	}
	body, err := json.Marshal(v)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	x.write(code, body, choice)
	return nil
}

func notAcceptable() error {
	return apierrors.NewGenericServerResponse(http.StatusNotAcceptable, "", schema.GroupResource{}, "",
		"only the following media types are accepted: application/json, application/yaml", 0, true)
}

// write sends a body of JSON.
func (x *exchange) write(code int, body []byte, choice accept.Choice) {
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	switch {
	case choice.YAML:
		if y, err := yaml.JSONToYAML(body); err == nil {
			body = y
			h.Set("Content-Type", "application/yaml")
		}
	case pretty(x.r):
		var b bytes.Buffer
		if json.Indent(&b, body, "", "  ") == nil {
			body = append(b.Bytes(), '\n')
		}
	}
	x.send(code, body)
}

// send sends a body as it is, compressed if the client takes that and it is worth it.
func (x *exchange) send(code int, body []byte) {
	gzip := len(body) >= squeeze.From && x.gzip()
	if gzip {
		body = squeeze.Gzip(body)
	}
	x.deliver(code, body, gzip)
}

// gzip tells whether the client takes a body compressed.
func (x *exchange) gzip() bool {
	return strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") && x.r.Method != http.MethodHead
}

// deliver sends a body that is, or is not, compressed.
func (x *exchange) deliver(code int, body []byte, gzip bool) {
	h := x.w.Header()
	h.Add("Vary", "Accept-Encoding")
	done := bound(x.w, x.s.Limits.Write+time.Duration(len(body)>>20)*time.Second)
	if x.r.ProtoMajor < 2 { // it is the connection's, which goes on; HTTP/2's ends with the answer
		defer done()
	}
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(code)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // an error: the client has left
	}
}

// bound gives the client that long to take what is written until done is called. A deadline
// that is left standing would reset a stream of HTTP/2 that rests when it passes.
func bound(w http.ResponseWriter, wait time.Duration) (done func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(wait)) // an error: the client has left
	return func() { _ = control.SetWriteDeadline(time.Time{}) }
}

func pretty(r *http.Request) bool {
	p := r.URL.Query().Get("pretty")
	return p == "1" || p == "true"
}
