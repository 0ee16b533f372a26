//go:build linux

package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/credential"
)

// office is who certificates are asked of.
type office struct {
	g     *rig
	order []schemas.Name
	asked map[schemas.Name]*certificatesv1.PodCertificateRequest
	// answer is the condition that requests get at once; "" leaves them waiting.
	answer string
}

func (o *office) Request(_ context.Context, p *v1.Pod, _ *v1.PodCertificateProjection, name schemas.Name, proof []byte) error {
	o.g.mu.Lock()
	defer o.g.mu.Unlock()
	if o.g.away {
		return errors.New("the bus cannot be reached")
	}
	if o.asked[name] != nil {
		return nil
	}
	o.order = append(o.order, name)
	o.asked[name] = &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: string(name)},
		Spec: certificatesv1.PodCertificateRequestSpec{StubPKCS10Request: proof}}
	o.decide(name, o.answer)
	return nil
}

// decide answers a request. Its certificate says which of the requests it was.
func (o *office) decide(name schemas.Name, answer string) {
	r := o.asked[name].DeepCopy()
	if answer != "" {
		r.Status.Conditions = []metav1.Condition{{Type: answer, Reason: "Because", Message: "so"}}
	}
	if answer == "Issued" {
		r.Status.CertificateChain = block(fmt.Sprintf("certificate %d", len(o.order)))
		r.Status.BeginRefreshAt, r.Status.NotAfter = &metav1.Time{Time: o.g.now.Add(time.Hour)}, &metav1.Time{Time: o.g.now.Add(2 * time.Hour)}
	}
	o.asked[name] = r
}

func (o *office) Requested(_ context.Context, ref schemas.Ref) (*certificatesv1.PodCertificateRequest, error) {
	o.g.mu.Lock()
	defer o.g.mu.Unlock()
	if o.g.away {
		return nil, errors.New("the bus cannot be reached")
	}
	return o.asked[ref.Name], nil
}

// withOffice is a rig whose pods ask for certificates, and one of them.
func withOffice(t *testing.T, answer string) (*rig, *office, *v1.Pod) {
	g := newRig(t)
	o := &office{g: g, asked: map[schemas.Name]*certificatesv1.PodCertificateRequest{}, answer: answer}
	g.Certificates = o
	p := pod(v1.Volume{Name: "v", VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{DefaultMode: ptr(int32(0o444)), DefaultUser: ptr(int64(7)),
		Sources: []v1.VolumeProjection{{PodCertificate: &v1.PodCertificateProjection{SignerName: "a.b/c", KeyType: "ED25519",
			CredentialBundlePath: "bundle", KeyPath: "sub/key", CertificateChainPath: "chain"}}}}}})
	return g, o, p
}

// restart is another agent on the same host.
func (g *rig) restart(o *office) {
	g.start()
	g.Certificates = o
}

// pair checks that the files are a key and its certificate, and returns the latter.
func (g *rig) pair(p *v1.Pod) string {
	g.t.Helper()
	dir := g.dir(p, "v")
	key, chain := g.file(filepath.Join(dir, "sub/key")), g.file(filepath.Join(dir, "chain"))
	if !strings.HasPrefix(key, "-----BEGIN PRIVATE KEY-----") || g.file(filepath.Join(dir, "bundle")) != key+chain {
		g.t.Errorf("the bundle is %q", g.file(filepath.Join(dir, "bundle")))
	}
	return chain
}

func (g *rig) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// TestCertificatesAreIssuedAndRenewed: with a key of its own each time, and not because an
// agent starts.
func TestCertificatesAreIssuedAndRenewed(t *testing.T) {
	g, o, p := withOffice(t, "Issued")
	g.must(g.Prepare(t.Context(), p))
	if got := g.pair(p); got != block("certificate 1") {
		t.Errorf("chain %q", got)
	}
	key := filepath.Join(g.dir(p, "v"), "sub/key")
	if m := mode(t, key); m != 0o600 {
		t.Errorf("mode %v: a user's own file is nobody else's to read", m)
	}
	first := g.file(key)
	g.restart(o)
	g.must(g.Prepare(t.Context(), p))
	g.pass(59 * time.Minute)
	g.must(g.settle(p))
	if len(o.order) != 1 || g.file(key) != first {
		t.Errorf("asked %d times before its time", len(o.order))
	}
	// Within the spread from then on.
	g.pass(time.Minute + credential.Spread)
	g.must(g.settle(p))
	g.must(g.settle(p))
	if got := g.pair(p); got != block("certificate 2") || g.file(key) == first || len(o.order) != 2 {
		t.Errorf("renewed to %q after %d requests", got, len(o.order))
	}
	kept := filepath.Join(g.data, "memory", string(p.UID), "certificates.json")
	if m := mode(t, kept); m != 0o600 {
		t.Errorf("keys are kept with mode %v", m)
	}
	g.must(g.Remove(p.UID))
	if _, err := os.Stat(kept); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the keys outlive their pod: %v", err)
	}
	if len(g.users) != 0 || len(g.expected) != 0 {
		t.Errorf("remembered: %v, %v", g.users, g.expected)
	}
}

// TestCertificatesThatTakeTime: the pod waits, over a restart too, and is told when it need not any more.
func TestCertificatesThatTakeTime(t *testing.T) {
	g, o, p := withOffice(t, "")
	const waits = `MountVolume.SetUp failed for volume "v" : credential bundle is not issued yet`
	for range 2 {
		if err := g.Prepare(t.Context(), p); err == nil || err.Error() != waits {
			t.Fatalf("got %v", err)
		}
		g.restart(o)
	}
	if len(o.order) != 1 {
		t.Fatalf("asked %d times", len(o.order))
	}
	if err := g.Prepare(t.Context(), p); err == nil {
		t.Fatal("it does not wait")
	}
	ref := schemas.Ref{Resource: schemas.PodCertificateRequests, Namespace: "ns", Name: o.order[0]}
	if !slices.Contains(g.Objects(), ref) {
		t.Errorf("nobody looks at %v again: %v", ref, g.Objects())
	}
	o.decide(o.order[0], "Issued")
	g.Changed(ref)
	g.must(g.settle(p))
	if len(g.retried) != 1 {
		t.Errorf("retried %v", g.retried)
	}
	g.must(g.Prepare(t.Context(), p))
	if got := g.pair(p); got != block("certificate 1") {
		t.Errorf("chain %q", got)
	}
	if slices.Contains(g.Objects(), ref) {
		t.Error("a request that has ended is still looked at")
	}
}

// TestCertificatesThatAreRefused: are told of once, and asked for no more.
func TestCertificatesThatAreRefused(t *testing.T) {
	for _, answer := range []string{"Denied", "Failed"} {
		g, o, p := withOffice(t, answer)
		want := `MountVolume.SetUp failed for volume "v" : PodCertificateRequest was permanently ` + strings.ToLower(answer) + `: reason="Because" message="so"`
		for range 3 {
			if err := g.Prepare(t.Context(), p); err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			g.pass(time.Hour)
			g.restart(o)
		}
		if len(o.order) != 1 || len(g.events) != 1 || !strings.HasPrefix(g.events[0], "Warning "+answer+": PodCertificateRequest ns/req-") {
			t.Errorf("asked %d times, events %q", len(o.order), g.events)
		}
	}
}

// TestRenewalThatFails: what is there stays; a request that goes astray is made again, and not at once.
func TestRenewalThatFails(t *testing.T) {
	g, o, p := withOffice(t, "Issued")
	g.must(g.Prepare(t.Context(), p))
	first := g.pair(p)
	g.away = true
	g.pass(time.Hour + credential.Spread)
	for range 3 {
		g.must(g.settle(p))
	}
	g.away, o.answer = false, ""
	g.must(g.settle(p))
	if len(o.order) != 1 {
		t.Error("it is tried again without a pause")
	}
	g.pass(time.Minute)
	g.must(g.settle(p))
	g.must(g.settle(p))
	if len(o.order) != 2 || g.pair(p) != first {
		t.Errorf("asked %d times", len(o.order))
	}
	delete(o.asked, o.order[1])
	o.answer = "Denied"
	g.must(g.settle(p)) // it has gone astray
	g.pass(time.Minute)
	g.must(g.settle(p))
	g.must(g.settle(p))
	if len(o.order) != 3 || g.pair(p) != first {
		t.Errorf("asked %d times", len(o.order))
	}
	if len(g.events) != 2 || !strings.Contains(g.events[0], "was denied") || !strings.Contains(g.events[1], "permanently denied") {
		t.Errorf("events %q", g.events)
	}
}
