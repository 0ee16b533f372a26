package decode_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/kinds"
)

// BenchmarkManifests decodes a file of typical documents, as large as is read.
func BenchmarkManifests(b *testing.B) {
	one, err := os.ReadFile("testdata/web.yaml")
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat(append(one, "---\n"...), 8<<20/(len(one)+4)/2)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		docs, err := decode.Manifests(kinds.Table(), "big.yaml", data)
		if err != nil || len(docs) == 0 {
			b.Fatal(err)
		}
	}
}
