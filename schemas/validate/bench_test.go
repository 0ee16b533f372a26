package validate_test

import (
	"testing"

	"github.com/skerry/skerry/schemas/validate"
)

func BenchmarkPod(b *testing.B) {
	p := goodPod()
	b.ReportAllocs()
	for b.Loop() {
		validate.Pod(p)
	}
}
