package owner

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// TestNamesAreNames: whatever the hash, the name is valid and of full length.
func TestNamesAreNames(t *testing.T) {
	for n := range 20_000 {
		name := Name("web-", types.UID(fmt.Sprintf("uid-%d", n%7)), n)
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 || len(name) != len("web-")+SuffixLength {
			t.Fatalf("ordinal %d: %q: %v", n, name, errs)
		}
	}
}
