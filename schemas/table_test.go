package schemas_test

import (
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/outline"
)

func seal(t testing.TB, version string) *schemas.Kind {
	t.Helper()
	k, err := outline.Outline{Group: "sea.example.com", Version: version, Kind: "Seal", Plural: "seals", ShortNames: []string{"po"}, Namespaced: true}.Entry()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTableChanges(t *testing.T) {
	table, first, second := kinds.Table().Clone(), seal(t, "v1"), seal(t, "v2")
	var heard []schemas.Change
	stop := table.Listen(func(c schemas.Change) {
		heard = append(heard, c)
		if table.ByResource(c.Resource()) != c.New {
			t.Errorf("told of %v before it happened", c)
		}
	})
	before := table.All()
	for _, k := range []*schemas.Kind{first, second} {
		if err := table.Put(k); err != nil {
			t.Fatal(err)
		}
		if table.ByResource(k.Resource) != k || table.ByGVK(k.GroupVersionKind()) != k || table.Find("seals") != k || table.Find("Seal.sea.example.com") != k {
			t.Errorf("%s is not found", k.GroupVersion())
		}
	}
	if table.ByGVK(first.GroupVersionKind()) != nil || len(table.All()) != len(before)+1 {
		t.Error("the replaced entry is still there")
	}
	if !table.Remove(second.Resource) || table.Remove(second.Resource) || table.Find("seals") != nil {
		t.Error("not removed, or removed twice")
	}
	stop()
	if err := table.Put(first); err != nil {
		t.Fatal(err)
	}
	want := []schemas.Change{{New: first}, {Old: first, New: second}, {Old: second}}
	if len(heard) != len(want) {
		t.Fatalf("heard %d changes, want %d", len(heard), len(want))
	}
	for i := range want {
		if heard[i] != want[i] {
			t.Errorf("change %d: %v, want %v", i, heard[i], want[i])
		}
	}
	if kinds.Table().Find("seals") != nil {
		t.Error("the clone and what it is of are the same table")
	}
}

func TestBuiltInKindsStay(t *testing.T) {
	table := kinds.Table().Clone()
	other := *table.ByResource(schemas.Pods)
	if table.Put(&other) == nil || table.Remove(schemas.Pods) {
		t.Error("the entry of pods was changed")
	}
	thief := seal(t, "v1")
	thief.Resource = schemas.Resource{Group: "apps", Plural: "seals"}
	thief.Kind = "Deployment"
	if table.Put(thief) == nil {
		t.Error("two resources have one kind")
	}
	if err := table.Put(seal(t, "v1")); err != nil {
		t.Fatal(err)
	}
	if got := table.Find("po"); got.Resource != schemas.Pods {
		t.Errorf("po means %s", got.Resource)
	}
	if got := table.ByType(&corev1.Pod{}); got == nil || got.Resource != schemas.Pods {
		t.Errorf("a pod is a %v", got)
	}
	if got := table.ByType(table.Find("seals").New()); got != nil {
		t.Errorf("whatever has no type is a %s", got.Resource)
	}
}

// TestTableUnderReaders is for the race detector, and for readers that see half a change.
func TestTableUnderReaders(t *testing.T) {
	table, k := kinds.Table().Clone(), seal(t, "v1")
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if n := len(table.All()); n != len(kinds.Table().All()) && n != len(kinds.Table().All())+1 {
					t.Errorf("%d kinds", n)
				}
				if table.ByResource(schemas.Pods) == nil {
					t.Error("pods are gone")
				}
			}
		})
	}
	for range 200 {
		if err := table.Put(k); err != nil {
			t.Error(err)
		}
		table.Remove(k.Resource)
	}
	close(done)
	readers.Wait()
}

func BenchmarkByResource(b *testing.B) {
	table := kinds.Table()
	for b.Loop() {
		if table.ByResource(schemas.Deployments) == nil {
			b.Fatal("not there")
		}
	}
}
