package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/services/gateway/body"
)

// read returns the request's body, bounded in size and time.
func (x *exchange) read() ([]byte, error) {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return nil, nil
	}
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(x.s.Limits.Body))
	if x.r.ProtoMajor < 2 { // the connection's, which goes on
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	b, err := entire(http.MaxBytesReader(x.w, x.r.Body, body.Max), x.r.ContentLength)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, apierrors.NewRequestEntityTooLargeError("limit is 3145728")
	case err != nil:
		return nil, apierrors.NewBadRequest("the body cannot be read: " + err.Error())
	}
	return b, nil
}

// readAtOnce bounds what is made room for on the word of a client.
const readAtOnce = 64 << 10

// entire reads r, which is length bytes long, or of unknown length if that is negative. What
// fits is read in one go: each read of HTTP/2 wakes the goroutine of its connection.
func entire(r io.Reader, length int64) ([]byte, error) {
	room := min(max(length, 0), readAtOnce) + bytes.MinRead // the rest is for seeing the end
	b := bytes.NewBuffer(make([]byte, 0, room))
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// media is the body's content type, without parameters.
func (x *exchange) media() string {
	header := x.r.Header.Get("Content-Type")
	if header == "" {
		return "application/json"
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return header
	}
	return media
}

// document returns the body as JSON.
func (x *exchange) document() ([]byte, error) {
	raw, err := x.read()
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, apierrors.NewBadRequest("the request has no body")
	}
	return x.asJSON(raw)
}

func (x *exchange) asJSON(raw []byte) ([]byte, error) {
	switch x.media() {
	case "application/json":
		return raw, nil
	case "application/yaml":
		return body.FromYAML(raw, x.r.URL.Query().Get("fieldValidation") == metav1.FieldValidationStrict)
	case "application/vnd.kubernetes.protobuf":
		return body.FromProtobuf(raw, x.s.Table)
	}
	return nil, unsupported(x.media(), "application/json, application/yaml, application/vnd.kubernetes.protobuf")
}

func unsupported(media, accepted string) error {
	return apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", schema.GroupResource{}, "",
		"the body of the request was in an unknown format ("+media+") - accepted media types include: "+accepted, 0, true)
}

// patch returns the body of a PATCH and what kind of patch it is.
func (x *exchange) patch() ([]byte, types.PatchType, error) {
	pt := types.PatchType(x.media())
	switch pt {
	case types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType, types.ApplyYAMLPatchType:
	default:
		return nil, "", unsupported(x.media(), "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml")
	}
	raw, err := x.read()
	if err != nil {
		return nil, "", err
	}
	if pt == types.ApplyYAMLPatchType {
		raw, err = body.FromYAML(raw, x.r.URL.Query().Get("fieldValidation") == metav1.FieldValidationStrict)
	}
	return raw, pt, err
}

// deleteOptions reads them from the body, or from the query.
func (x *exchange) deleteOptions() (*metav1.DeleteOptions, error) {
	raw, err := x.read()
	if err != nil {
		return nil, err
	}
	o := &metav1.DeleteOptions{}
	if len(bytes.TrimSpace(raw)) == 0 {
		q := x.r.URL.Query()
		if err := metav1.Convert_url_Values_To_v1_DeleteOptions(&q, o, nil); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return o, nil
	}
	if raw, err = x.asJSON(raw); err != nil {
		return nil, err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, o); err != nil {
		return nil, apierrors.NewBadRequest("the body cannot be decoded as DeleteOptions: " + err.Error())
	}
	return o, nil
}
