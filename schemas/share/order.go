package share

import (
	"bytes"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// Order is what others than its agent want to know of a work order, or of the verdict
// that a pod fits nowhere.
type Order struct {
	UID      types.UID
	NodeName string
	Status   v1.PodStatus
}

// Order decodes a work order: a pod whose spec the desired pod has as well.
func (p *Pool) Order(data []byte) (Order, error) {
	o, ok := glance(data)
	if !ok {
		var err error
		if o, err = wholeOrder(data); err != nil {
			return Order{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o.NodeName = p.same(o.NodeName)
	return o, nil
}

// glance finds the little that is wanted without reading the rest, which is most of it;
// false for a text that is not of the usual form.
func glance(data []byte) (o Order, ok bool) {
	var meta, spec, status bool
	once := func(seen *bool) bool {
		was := *seen
		*seen = true
		return !was
	}
	ok = fields(data, func(name, raw []byte) bool {
		switch string(name) {
		case "metadata":
			return once(&meta) && member(raw, "uid", (*string)(&o.UID))
		case "spec":
			return once(&spec) && member(raw, "nodeName", &o.NodeName)
		case "status":
			return once(&status) && (string(raw) == "{}" || kjson.UnmarshalCaseSensitivePreserveInts(raw, &o.Status) == nil)
		}
		return true
	})
	return o, ok
}

// member sets to to the string that name is in the object raw; false unless it is there at
// most once, and its text is the string itself.
func member(raw []byte, name string, to *string) bool {
	seen := false
	return fields(raw, func(n, raw []byte) bool {
		if string(n) != name {
			return true
		}
		text := bytes.Trim(raw, `"`)
		if seen || len(raw) != len(text)+2 || !plain(text) {
			return false
		}
		seen, *to = true, string(text)
		return true
	})
}

// wholeOrder reads all of it.
func wholeOrder(data []byte) (Order, error) {
	var o struct {
		Metadata struct {
			UID types.UID `json:"uid"`
		} `json:"metadata"`
		Spec struct {
			NodeName string `json:"nodeName"`
		} `json:"spec"`
		Status v1.PodStatus `json:"status"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &o); err != nil {
		return Order{}, fmt.Errorf("decode work order: %w", err)
	}
	return Order{UID: o.Metadata.UID, NodeName: o.Spec.NodeName, Status: o.Status}, nil
}
