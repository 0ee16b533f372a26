package codec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// Writer is who made a state of an object, and when. It is stored beside the
// object in one more top-level field, bus.WrittenBy, which readers of the object ignore.
type Writer struct {
	User string    `json:"user"`
	Time time.Time `json:"time"`
	// Revision is the number of this state of the object in its history. 0: see Stored.Revision.
	Revision int64 `json:"revision,omitempty"`
}

// EncodeDesired renders obj as it is stored under desired.
func EncodeDesired(k *schemas.Kind, obj schemas.Object, w Writer) ([]byte, error) {
	d := join.Desired(k, obj)
	d.SetResourceVersion("")
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", schemas.RefOf(k.Resource, obj), err)
	}
	by, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode writer: %w", err)
	}
	data = append(data[:len(data)-1], `,"`+bus.WrittenBy+`":`...)
	return append(append(data, by...), '}'), nil
}

// Stored is what a stored value tells without decoding the whole object.
type Stored struct {
	Metadata struct {
		UID        string `json:"uid"`
		Generation int64  `json:"generation"`
	} `json:"metadata"`
	WrittenBy Writer `json:"writtenBy"`
}

// Revision is the number of the value in its object's history. Where nobody counted it is the first one,
// or the one that metadata.generation says.
func (s *Stored) Revision() int64 {
	if s.WrittenBy.Revision > 0 {
		return s.WrittenBy.Revision
	}
	return max(s.Metadata.Generation, 1)
}

// ReadStored reads what a stored value says about itself.
func ReadStored(value []byte) (Stored, error) {
	var s Stored
	if err := json.Unmarshal(value, &s); err != nil {
		return s, fmt.Errorf("decode stored object: %w", err)
	}
	return s, nil
}

// Plain returns a stored value without the writer: the object as a client knows it.
func Plain(value []byte) ([]byte, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, fmt.Errorf("decode stored object: %w", err)
	}
	delete(m, bus.WrittenBy)
	return json.Marshal(m)
}
