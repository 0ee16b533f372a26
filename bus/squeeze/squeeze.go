// Package squeeze compresses large bodies of answers, quickly rather than well. Pure.
//
// What always holds: any reader of gzip makes of the outcome what went in.
package squeeze

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// From is how long a body must be to be worth compressing, as in Kubernetes.
const From = 128 << 10

var writers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return z
}}

// Gzip returns body compressed.
func Gzip(body []byte) []byte {
	var out bytes.Buffer
	z := writers.Get().(*gzip.Writer) //nolint:forcetypeassert // only those are in it
	defer writers.Put(z)
	z.Reset(&out)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}
