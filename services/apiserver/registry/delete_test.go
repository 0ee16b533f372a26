package registry

import (
	"errors"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/apiserver/access"
)

// only lets nothing pass but the object of this name.
type only string

var errGuarded = errors.New("not this one")

func (o only) Admit(_ access.Attributes, obj, _ schemas.Object) error {
	if obj.GetName() != string(o) {
		return errGuarded
	}
	return nil
}

// TestGuardSeesWhatIsDeleted: a deletion was allowed when there may have been nothing of that name.
func TestGuardSeesWhatIsDeleted(t *testing.T) {
	g := &Registry{Guard: only("mine"), Now: time.Now}
	k := kinds.Table().ByResource(schemas.Pods)
	for name, want := range map[string]error{"mine": nil, "other": errGuarded} {
		old := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		if _, err := g.removal(&api.Request{Verb: api.VerbDelete}, k, &metav1.DeleteOptions{})(old); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
