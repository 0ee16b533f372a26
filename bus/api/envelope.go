package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

// A request is one message: the JSON of a requestHead in headerRequest, and the
// body as it is in the payload. Its reply likewise, with a replyHead in headerReply;
// an error has stream.HeaderErrorCode and a Status as its body.
//
// A request that one message cannot carry opens a stream instead, with the
// requestHead as its hello, sends the body as one message, and gets the replyHead
// and the body as two messages. A reply that one message cannot carry names a
// stream on which the body is waiting.
const (
	headerRequest = "Skerry-Request"
	headerReply   = "Skerry-Reply"
	// headerObject has <namespace>/<name> of a request's object where both can be in a
	// header as they are. What is left of the head mostly is the same again and again.
	headerObject = "Skerry-Object"
	// headerBusy marks an error reply to a request that was not looked at: it
	// can be sent again.
	headerBusy = "Skerry-Busy"
)

const (
	// MaxBody is the most bytes of a request's body.
	MaxBody = 8 << 20
	// maxReply is the most bytes of a reply's body.
	maxReply = 64 << 20
	// maxHead is the most bytes of a head on a stream.
	maxHead = 256 << 10
	// headSlack is what a message's headers take beside the head.
	headSlack = 1 << 10
	// requestTimeout bounds every request but watches.
	requestTimeout = 30 * time.Second
)

// requestHead is a request without what the subject and the body say.
type requestHead struct {
	*Request
	// TimeoutMillis is how long the client will wait: longer work is for nobody.
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
}

func encodeRequest(r *Request, timeout time.Duration) ([]byte, error) {
	b, err := json.Marshal(requestHead{r, timeout.Milliseconds()})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return b, nil
}

// decodeRequest returns the request that came on subject, and how long the
// client waits for its reply.
func decodeRequest(subject string, head, body []byte) (*Request, time.Duration, error) {
	user, verb, resource, err := bus.ParseAPISubject(subject)
	if err != nil {
		return nil, 0, badSubject(err)
	}
	h, err := decodeHead(head)
	if err != nil {
		return nil, 0, err
	}
	r := h.Request
	r.User, r.Verb, r.Resource, r.Body = user, Verb(verb), resource, body
	return r, h.timeout(), nil
}

func badSubject(err error) error { return apierrors.NewBadRequest(err.Error()) }

func decodeHead(head []byte) (requestHead, error) {
	h := requestHead{Request: &Request{}}
	if err := json.Unmarshal(head, &h); err != nil {
		return h, apierrors.NewBadRequest(fmt.Sprintf("decode request: %v", err))
	}
	if h.Request == nil { // the head was null
		h.Request = &Request{}
	}
	return h, nil
}

func (h requestHead) timeout() time.Duration {
	if h.TimeoutMillis > 0 && h.TimeoutMillis < requestTimeout.Milliseconds() {
		return time.Duration(h.TimeoutMillis) * time.Millisecond
	}
	return requestTimeout
}

// replyHead is a reply without its body.
type replyHead struct {
	Warnings []string `json:"warnings,omitempty"`
	Created  bool     `json:"created,omitempty"`
	Gzip     bool     `json:"gzip,omitempty"`
	// Stream and Peer name the stream that the body is waiting on; "" if it is here.
	Stream string `json:"stream,omitempty"`
	Peer   string `json:"peer,omitempty"`
}

func encodeReply(h replyHead) ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode reply: %w", err)
	}
	return b, nil
}

func decodeReply(b []byte) (replyHead, error) {
	var h replyHead
	if len(b) == 0 {
		return h, nil
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("decode reply: %w", err)
	}
	return h, nil
}

// sendEvent has send take e's text, which it must not keep: there would be a copy for each
// event of each watcher otherwise.
func sendEvent(e WatchEvent, send func([]byte) error) error {
	text, _ := eventTexts.Get().(*[]byte)
	if text == nil {
		text = new([]byte)
	}
	*text = appendEvent((*text)[:0], e)
	err := send(*text)
	if cap(*text) <= keptEventText {
		eventTexts.Put(text)
	}
	return err
}

// eventTexts is memory for texts of events, each of no more than keptEventText.
var eventTexts sync.Pool

const keptEventText = 64 << 10

// appendEvent renders e as JSON. The object is not looked at: with many watchers,
// checking it again for each would be most of the work.
func appendEvent(b []byte, e WatchEvent) []byte {
	object := []byte(e.Object)
	if len(object) == 0 {
		object = []byte("null")
	}
	b = slices.Grow(b, len(object)+len(e.Type)+24)
	b = append(b, `{"type":"`...)
	b = append(b, e.Type...)
	b = append(b, `","object":`...)
	b = append(b, object...)
	return append(b, '}')
}

func decodeEvent(b []byte) (WatchEvent, error) {
	var e WatchEvent
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}
