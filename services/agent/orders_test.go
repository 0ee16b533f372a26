//go:build linux

package agent

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestSamples: of alike pods one stands for all, and each is known by its uid.
func TestSamples(t *testing.T) {
	o, pool := newOrders(), share.New()
	for i := range 6 {
		name := fmt.Sprintf("p%d", i)
		l, err := pool.Lean(fmt.Appendf(nil, `{"metadata":{"namespace":"ns","name":%q,"uid":"u%d"},"spec":{"serviceAccountName":"a%d"}}`, name, i, i%2), name)
		if err != nil {
			t.Fatal(err)
		}
		o.put(sandbox.Key{Namespace: "ns", Name: schemas.Name(name)}, l)
	}
	accounts := map[string]bool{}
	for _, p := range o.samples() {
		accounts[p.Spec.ServiceAccountName] = true
	}
	if n := len(o.samples()); n != 2 || !accounts["a0"] || !accounts["a1"] {
		t.Errorf("%d samples, of %v", n, accounts)
	}
	uids := map[types.UID]bool{"there": true}
	if o.addUIDs(uids); len(uids) != 7 || !uids["u5"] {
		t.Errorf("uids: %v", uids)
	}
}
