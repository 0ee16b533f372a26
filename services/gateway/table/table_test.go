package table

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

const (
	one  = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"7","labels":{"l":"v"}},"data":{"x":"y"}}`
	list = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"c","remainingItemCount":3},"items":[` + one + `]}`
)

func TestRender(t *testing.T) {
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	for include, want := range map[metav1.IncludeObjectPolicy]string{
		metav1.IncludeNone:     `null`,
		metav1.IncludeMetadata: `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","namespace":"n","resourceVersion":"7","labels":{"l":"v"}}}`,
		metav1.IncludeObject:   one,
	} {
		for body, rv := range map[string]string{one: "7", list: "9"} {
			out, err := Render(k, []byte(body), include)
			if err != nil {
				t.Fatal(err)
			}
			var tab metav1.Table
			if err := json.Unmarshal(out, &tab); err != nil {
				t.Fatal(err)
			}
			if len(tab.Rows) != 1 || len(tab.Rows[0].Cells) != 3 || tab.Rows[0].Cells[0] != "a" || tab.Rows[0].Cells[1] != "1" || tab.ResourceVersion != rv {
				t.Errorf("%s of %.20s: %s", include, body, out)
			}
			if !strings.Contains(string(out), `"object":`+want) {
				t.Errorf("%s of %.20s: %s", include, body, out)
			}
			if body == list && (tab.Continue != "c" || *tab.RemainingItemCount != 3) {
				t.Errorf("the list's metadata were lost: %s", out)
			}
		}
	}
}

func TestPartialOfAList(t *testing.T) {
	out, err := Partial([]byte(list))
	var l metav1.PartialObjectMetadataList
	if err == nil {
		err = json.Unmarshal(out, &l)
	}
	if err != nil || l.Kind != "PartialObjectMetadataList" || l.Continue != "c" || len(l.Items) != 1 || l.Items[0].Labels["l"] != "v" {
		t.Errorf("%s, %v", out, err)
	}
	const empty = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}`
	if out, err = Partial([]byte(empty)); err != nil || !strings.Contains(string(out), `"items":[]`) {
		t.Errorf("%s, %v", out, err)
	}
	const st = `{"kind":"Status","apiVersion":"v1","status":"Success"}`
	if out, err = Partial([]byte(st)); err != nil || string(out) != st {
		t.Errorf("%s, %v", out, err)
	}
}

func TestTitle(t *testing.T) {
	for name, want := range map[string]string{
		"NAME": "Name", "UP-TO-DATE": "Up-to-date", "LAST SEEN": "Last Seen", "INTERNAL-IP": "Internal-IP", "OS-IMAGE": "OS-image", "IP": "IP", "NOMINATED NODE": "Nominated Node",
	} {
		if got := title(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestEveryKind: no kind has a column that a bare object cannot fill.
func TestEveryKind(t *testing.T) {
	for _, k := range kinds.Table().All() {
		body, err := json.Marshal(k.New())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Render(k, body, metav1.IncludeMetadata); err != nil {
			t.Errorf("%s: %v", k.Kind, err)
		}
	}
}
