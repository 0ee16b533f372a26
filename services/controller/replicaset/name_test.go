package replicaset

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// TestPodNamesAreNames: whatever the hash, the name is valid and of full length.
func TestPodNamesAreNames(t *testing.T) {
	for n := range 20_000 {
		name := podName("web-", types.UID(fmt.Sprintf("uid-%d", n%7)), n)
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 || len(name) != len("web-")+suffixLength {
			t.Fatalf("ordinal %d: %q: %v", n, name, errs)
		}
	}
}
