package device

import (
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func asks(name string, n string) *v1.Container {
	return &v1.Container{Name: name, Resources: v1.ResourceRequirements{Limits: v1.ResourceList{"nvidia.com/gpu": resource.MustParse(n), "cpu": resource.MustParse("1")}}}
}

func TestParse(t *testing.T) {
	stock, err := Parse([]string{"nvidia.com/gpu=nvidia.com/gpu=0,nvidia.com/gpu=1", "example.com/serial=/dev/ttyUSB0"})
	if err != nil || !slices.Equal(stock["nvidia.com/gpu"], []string{"nvidia.com/gpu=0", "nvidia.com/gpu=1"}) || !slices.Equal(stock["example.com/serial"], []string{"/dev/ttyUSB0"}) {
		t.Fatalf("%v, %v", stock, err)
	}
	if gpus := stock.Capacity()["nvidia.com/gpu"]; gpus.Value() != 2 {
		t.Errorf("capacity %s", gpus.String())
	}
	for _, bad := range []string{"gpu=nvidia.com/gpu=0", "nvidia.com/gpu", "nvidia.com/gpu=zero", "kubernetes.io/gpu=/dev/a", "nvidia.com/gpu=/dev/a,/dev/a"} {
		if _, err := Parse([]string{bad}); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestLedger(t *testing.T) {
	dir, stock := t.TempDir(), Stock{"nvidia.com/gpu": {"g0", "g1"}}
	l, err := Open(dir, stock)
	if err != nil {
		t.Fatal(err)
	}
	first, err := l.Take("a", asks("c", "1"))
	if err != nil || !slices.Equal(first, []string{"g0"}) {
		t.Fatalf("%v, %v", first, err)
	}
	// A new agent knows what the old one gave: the same to the same, another to another.
	if l, err = Open(dir, stock); err != nil {
		t.Fatal(err)
	}
	if again, err := l.Take("a", asks("c", "1")); err != nil || !slices.Equal(again, first) {
		t.Errorf("again %v, %v", again, err)
	}
	if other, err := l.Take("b", asks("c", "1")); err != nil || !slices.Equal(other, []string{"g1"}) {
		t.Errorf("another pod: %v, %v", other, err)
	}
	if none, err := l.Take("c", asks("c", "1")); err == nil {
		t.Errorf("a third pod gets %v", none)
	}
	if err := l.Free("a"); err != nil {
		t.Fatal(err)
	}
	if freed, err := l.Take("c", asks("c", "1")); err != nil || !slices.Equal(freed, []string{"g0"}) {
		t.Errorf("after one was freed: %v, %v", freed, err)
	}
	if none, err := l.Take("d", &v1.Container{Name: "c"}); err != nil || none != nil {
		t.Errorf("a container that asks for none gets %v, %v", none, err)
	}
}
