package managed

import (
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// maxShapes and maxShape bound the shapes that are remembered, and the bytes of one.
	maxShapes = 512
	maxShape  = 2 << 10
)

// shapes remembers which fields objects have that were made lately. Many are alike in that,
// however different what is in the fields is, and to work it out costs several times as much.
type shapes struct {
	mu    sync.Mutex
	known map[string][]byte
}

// get returns what add was given; nobody may change it.
func (s *shapes) get(shape []byte) (fields []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields, ok = s.known[string(shape)]
	return fields, ok
}

func (s *shapes) add(shape, fields []byte) {
	if len(fields) > 2*maxShape {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxShapes || s.known == nil {
		s.known = map[string][]byte{}
	}
	s.known[string(shape)] = fields
}

// shapeOf writes down all of obj, of Go's type for its kind, that decides which fields it sets:
// what is zero and what is not, the keys of maps, and all that is in lists, for a field's path
// names an item by what is in it. nil if there is too much of it, or something that is like
// nothing else.
func shapeOf(kind string, obj any) []byte {
	w := shape{buf: make([]byte, 0, 256)}
	w.text(kind)
	if !w.value(reflect.ValueOf(obj)) || len(w.buf) > maxShape {
		return nil
	}
	return w.buf
}

// shape is being written.
type shape struct {
	buf   []byte
	exact bool // values matter, since they are of a list's item
}

// sort is how values of a type are written down.
type sort uint8

const (
	likeNothing sort = iota // with a JSON form of its own
	instant
	quantity
	numberOrText
	pointer
	structure
	mapping
	list
	octets
	text
	flag
	signed
	unsigned
)

// sorts are those of types that were seen.
var sorts sync.Map

func sortOf(t reflect.Type) sort {
	if s, ok := sorts.Load(t); ok {
		return s.(sort)
	}
	s := findSort(t)
	sorts.Store(t, s)
	return s
}

func findSort(t reflect.Type) sort {
	switch t {
	case reflect.TypeFor[metav1.Time]():
		return instant
	case reflect.TypeFor[resource.Quantity]():
		return quantity
	case reflect.TypeFor[intstr.IntOrString]():
		return numberOrText
	}
	if m := reflect.TypeFor[json.Marshaler](); t.Kind() != reflect.Pointer && (t.Implements(m) || reflect.PointerTo(t).Implements(m)) {
		return likeNothing
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointer
	case reflect.Struct:
		return structure
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return mapping
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return octets
		}
		return list
	case reflect.String:
		return text
	case reflect.Bool:
		return flag
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return signed
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return unsigned
	}
	return likeNothing
}

// value adds v; false if that cannot be. What is not zero is followed by as much as its type
// makes matter, so that no two values are the same bytes unless nothing of that differs.
func (w *shape) value(v reflect.Value) bool {
	if v.IsZero() {
		w.buf = append(w.buf, '0')
		return true
	}
	w.buf = append(w.buf, '1')
	switch sortOf(v.Type()) {
	case likeNothing:
		return false
	case pointer:
		return w.value(v.Elem())
	case structure:
		for i := range v.NumField() {
			if !w.value(v.Field(i)) {
				return false
			}
		}
	case mapping:
		return w.entries(v)
	case list:
		return w.items(v)
	default:
		return w.leaf(v)
	}
	return true
}

// leaf adds what is not zero in Go; a quantity may be zero all the same.
func (w *shape) leaf(v reflect.Value) bool {
	s := sortOf(v.Type())
	if !w.exact && s != quantity && s != instant && s != numberOrText {
		return true
	}
	switch s {
	case quantity:
		q, _ := v.Interface().(resource.Quantity)
		w.text(q.String())
	case numberOrText:
		either, _ := v.Interface().(intstr.IntOrString)
		w.buf = append(w.buf, byte(either.Type))
		w.text(either.String())
	case instant: // creationTimestamp is one, which must not make each object unlike all others
		at, _ := v.Interface().(metav1.Time)
		if at.IsZero() || w.exact {
			return false
		}
	case octets:
		w.text(string(v.Bytes()))
	case text:
		w.text(v.String())
	case signed:
		w.buf = binary.AppendVarint(w.buf, v.Int())
	case unsigned:
		w.buf = binary.AppendUvarint(w.buf, v.Uint())
	}
	return len(w.buf) <= maxShape
}

// text adds s so that no two sequences of texts are the same bytes.
func (w *shape) text(s string) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *shape) entries(v reflect.Value) bool {
	w.buf = binary.AppendUvarint(w.buf, uint64(v.Len()))
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		w.text(k.String())
		if len(w.buf) > maxShape || !w.value(v.MapIndex(k)) {
			return false
		}
	}
	return true
}

func (w *shape) items(v reflect.Value) bool {
	w.buf = binary.AppendUvarint(w.buf, uint64(v.Len()))
	outer := w.exact
	w.exact = true
	defer func() { w.exact = outer }()
	for i := range v.Len() {
		if len(w.buf) > maxShape || !w.value(v.Index(i)) {
			return false
		}
	}
	return true
}
