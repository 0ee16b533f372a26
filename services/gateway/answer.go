package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/services/gateway/accept"
)

// compressFrom is how long an answer must be to be worth compressing, as in Kubernetes.
const compressFrom = 128 << 10

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
	h := x.w.Header()
	h.Add("Vary", "Accept-Encoding")
	done := bound(x.w, x.s.Limits.Write+time.Duration(len(body)>>20)*time.Second)
	if x.r.ProtoMajor < 2 { // it is the connection's, which goes on; HTTP/2's ends with the answer
		defer done()
	}
	if len(body) < compressFrom || !strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") || x.r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		x.w.WriteHeader(code)
		if x.r.Method != http.MethodHead {
			_, _ = x.w.Write(body) // an error: the client has left
		}
		return
	}
	h.Set("Content-Encoding", "gzip")
	x.w.WriteHeader(code)
	z := compressors.Get().(*gzip.Writer) //nolint:forcetypeassert // only those are in it
	defer compressors.Put(z)
	z.Reset(x.w)
	_, _ = z.Write(body)
	_ = z.Close()
}

// bound gives the client that long to take what is written until done is called. A deadline
// that is left standing would reset a stream of HTTP/2 that rests when it passes.
func bound(w http.ResponseWriter, wait time.Duration) (done func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(wait)) // an error: the client has left
	return func() { _ = control.SetWriteDeadline(time.Time{}) }
}

var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return z
}}

func pretty(r *http.Request) bool {
	p := r.URL.Query().Get("pretty")
	return p == "1" || p == "true"
}
