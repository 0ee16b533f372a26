package keep

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/sandbox"
)

func TestOrders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a.b", Namespace: "../ns", UID: "u"}}
	if err := d.PutOrder(p); err != nil {
		t.Fatal(err)
	}
	p.Status.Phase = v1.PodRunning
	if err := d.PutStatus(p); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"half.json", ".new-1"} {
		if err := os.WriteFile(filepath.Join(dir, "orders", f), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "orders", ".new-1")); err == nil {
		t.Error("a half-written file was left")
	}
	got, err := d.Orders()
	if err == nil {
		t.Error("the broken file was not reported")
	}
	if len(got) != 1 || got[0].Name != "a.b" || got[0].Namespace != "../ns" || got[0].Status.Phase != v1.PodRunning {
		t.Errorf("orders %+v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "orders", orderFile(sandbox.Key{Namespace: "../ns", Name: "a.b"})))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for range 2 {
		if err := d.DropOrder(sandbox.Key{Namespace: "../ns", Name: "a.b"}); err != nil {
			t.Error(err)
		}
	}
	if got, _ := d.Orders(); len(got) != 0 {
		t.Errorf("dropped, but: %+v", got)
	}
}

// TestPowerCut: a work order that was kept is there whatever becomes of the files that were written after it.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := func() map[string]os.FileInfo {
		paths, _ := filepath.Glob(filepath.Join(dir, "orders", "*"))
		out := map[string]os.FileInfo{}
		for _, p := range paths {
			if out[p], err = os.Stat(p); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns", UID: "u"}, Status: v1.PodStatus{Phase: v1.PodPending}}
	if err := d.PutOrder(p); err != nil {
		t.Fatal(err)
	}
	synced := files()
	p.Status.Phase = v1.PodRunning
	if err := d.PutStatus(p); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Orders(); err != nil || len(got) != 1 || got[0].Status.Phase != v1.PodRunning || got[0].Name != "a" {
		t.Errorf("kept %+v, %v", got, err)
	}
	for path, is := range files() {
		if was := synced[path]; was == nil || !os.SameFile(was, is) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := d.Orders(); err != nil || len(got) != 1 || got[0].Status.Phase != v1.PodPending {
		t.Errorf("after the power cut: %+v, %v", got, err)
	}
	// Another pod of that name has no status yet.
	p.UID, p.Status = "next", v1.PodStatus{}
	if err := d.PutOrder(p); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Orders(); err != nil || len(got) != 1 || got[0].UID != "next" || got[0].Status.Phase != "" {
		t.Errorf("another pod: %+v, %v", got, err)
	}
	if err := d.DropOrder(keyOf(p)); err != nil || len(files()) != 0 {
		t.Errorf("left: %v, %v", files(), err)
	}
}

func TestFileNames(t *testing.T) {
	long := strings.Repeat("a.b/", 60)
	seen := map[string]bool{}
	for _, n := range []string{"a", "a.b", "a/b", "..", "../../etc/passwd", long, long + "x"} {
		f := file("ns", n)
		if len(f) > 255-len(temporary)-16 || strings.Contains(f, "/") || seen[f] {
			t.Errorf("%q: %q", n, f)
		}
		seen[f] = true
	}
}

func TestObjects(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := schemas.Ref{Resource: schemas.Secrets, Namespace: "ns", Name: "a"}
	b := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "ns", Name: "a"}
	for _, r := range []schemas.Ref{a, b} {
		if err := d.PutObject(r, &v1.Secret{Data: map[string][]byte{"k": []byte(r.String())}}); err != nil {
			t.Fatal(err)
		}
	}
	var s v1.Secret
	if ok, err := d.Object(a, &s); err != nil || !ok || string(s.Data["k"]) != a.String() {
		t.Errorf("%v %v %v", ok, err, s)
	}
	if err := d.Sweep(map[schemas.Ref]bool{a: true}); err != nil {
		t.Error(err)
	}
	if ok, err := d.Object(b, &s); err != nil || ok {
		t.Errorf("swept, but: %v %v", ok, err)
	}
	if ok, err := d.Object(a, &s); err != nil || !ok {
		t.Errorf("kept, but: %v %v", ok, err)
	}
}
