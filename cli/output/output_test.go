package output

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

var configMaps = &schemas.Kind{Resource: schemas.ConfigMaps, Version: "v1", Kind: "ConfigMap", Singular: "configmap", Namespaced: true}

func configMap(name, size string) target.Found {
	return target.Found{Kind: configMaps, Object: &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}}},
		Data:       map[string]string{"size": size},
	}}
}

func TestFormats(t *testing.T) {
	a, b := configMap("a", "1"), configMap("b", "2")
	tests := []struct {
		format string
		found  []target.Found
		list   bool
		want   string
	}{
		{"name", []target.Found{a, b}, true, "configmap/a\nconfigmap/b\n"},
		{"jsonpath={.data.size}", []target.Found{a}, false, "1"},
		{"jsonpath={.items[*].metadata.name}", []target.Found{a, b}, true, "a b"},
		{`jsonpath={range .items[*]}{.metadata.name}={.data.size}{"\n"}{end}`, []target.Found{a, b}, true, "a=1\nb=2\n"},
		{"jsonpath={.data.nothing}", []target.Found{a}, false, ""},
		{"yaml", []target.Found{a}, false, "apiVersion: v1\ndata:\n  size: \"1\"\nkind: ConfigMap\nmetadata:\n  name: a\n"},
		{"json", nil, true, "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.format, func(t *testing.T) {
			f, err := Parse(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := f.Print(&out, tt.found, tt.list); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.want)
			}
		})
	}
	for _, bad := range []string{"xml", "jsonpath", "jsonpath=", "yaml=x", "custom-columns="} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("-o %s is accepted", bad)
		}
	}
}

func TestColumns(t *testing.T) {
	f, err := Parse("custom-columns=NAME:.metadata.name,SIZE:{.data.size},NONE:.x")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.PrintColumns(NewTable(&out), []target.Found{configMap("a", "1")}, true); err != nil {
		t.Fatal(err)
	}
	if want := "NAME   SIZE   NONE\na      1      <none>\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestSort(t *testing.T) {
	tests := []struct{ sizes, want string }{
		{"10 9 100", "9 10 100"},
		{"1Gi 500Mi 2k", "2k 500Mi 1Gi"},
		{"b a c", "a b c"},
	}
	for _, tt := range tests {
		var found []target.Found
		for _, s := range strings.Fields(tt.sizes) {
			found = append(found, configMap("n", s))
		}
		if err := Sort(found, ".data.size"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, f.Object.(*corev1.ConfigMap).Data["size"])
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s sorted: %v", tt.sizes, got)
		}
	}
	if Sort([]target.Found{configMap("a", "1")}, ".data.nothing") == nil {
		t.Error("sorting by a field that nothing has is no error")
	}
}

func TestTableRemembersWidths(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out)
	for _, row := range [][]string{{"A", "B"}, {"a-long-name", "x"}, {"c", "y"}} {
		if err := table.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if want := "A     B\na-long-name   x\nc             y\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
