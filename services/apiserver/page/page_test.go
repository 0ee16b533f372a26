package page

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestTokenRoundTrip(t *testing.T) {
	want := Token{Revision: 42, After: "ns\x00a.b"}
	got, err := Decode(want.Encode())
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "x", "e30", "!!!", Token{Revision: -7}.Encode()} {
		if _, err := Decode(bad); !apierrors.IsBadRequest(err) {
			t.Errorf("%q: got %v, want BadRequest", bad, err)
		}
	}
}

func TestExpiredGoesOn(t *testing.T) {
	err := Expired(Token{Revision: 7, After: "k"})
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("not expired: %v", err)
	}
	next, derr := Decode(err.(apierrors.APIStatus).Status().Continue)
	if derr != nil || next != (Token{Revision: Inconsistent, After: "k"}) {
		t.Errorf("token %+v, %v", next, derr)
	}
}

func TestCut(t *testing.T) {
	var objs []schemas.Object
	for i := range 10 {
		objs = append(objs, &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("c%d", i)}})
	}
	even := func(o schemas.Object) bool { return (o.GetName()[1]-'0')%2 == 0 }
	got, more := Cut(objs, Key(objs[1]), 2, even)
	if len(got) != 2 || got[0].GetName() != "c2" || got[1].GetName() != "c4" || more == 0 {
		t.Errorf("got %v, %d more", got, more)
	}
	if got, more := Cut(objs, Key(objs[7]), 2, even); len(got) != 1 || more != 0 {
		t.Errorf("the last page: %v, %d more", got, more)
	}
	if all, more := Cut(objs, "", 0, nil); len(all) != 10 || more != 0 {
		t.Errorf("all: %d, %d more", len(all), more)
	}
	if got, more := Cut(objs, "ns\x00c3a", 2, nil); len(got) != 2 || got[0].GetName() != "c4" || more != 4 {
		t.Errorf("after one that is gone: %v, %d more", got, more)
	}
}
