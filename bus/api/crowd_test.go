package api

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

func TestCrowd(t *testing.T) {
	c := Crowd{What: "watches", Most: 3, MostOf: 2}
	enter := func(want string) func() {
		t.Helper()
		who, refused, _ := strings.Cut(want, " ")
		leave, err := c.Enter(bus.User("system:" + who))
		after, busy := apierrors.SuggestsClientDelay(err)
		switch {
		case refused == "" && err != nil:
			t.Fatal(err)
		case refused != "" && (!apierrors.IsTooManyRequests(err) || !busy || after != whenFull || !strings.Contains(err.Error(), refused)):
			t.Fatalf("%s: %v", want, err)
		}
		return leave
	}
	first := enter("ann")
	second := enter("ann")
	enter(`ann user "system:ann" has 2 watches open`)
	third := enter("bob")
	enter("carl 3 watches are open")
	first()
	first() // once is enough
	fourth := enter("carl")
	enter("bob 3 watches are open")
	second()
	third()
	fourth()
	if c.all != 0 || len(c.of) != 0 {
		t.Errorf("%d are left, %v", c.all, c.of)
	}
}
