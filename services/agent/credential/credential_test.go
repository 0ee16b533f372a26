package credential

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// asked is a credential whose request is under way.
func asked() *Credential {
	return &Credential{Asked: &Asked{Name: "req-1", Key: []byte("key"), Proof: []byte("proof"), Sent: true}}
}

// request is what asked asked for, with a condition if kind is one.
func request(kind string) *certificatesv1.PodCertificateRequest {
	r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "req-1"},
		Spec: certificatesv1.PodCertificateRequestSpec{StubPKCS10Request: []byte("proof")}}
	if kind != "" {
		r.Status.Conditions = []metav1.Condition{{Type: kind, Reason: "Because", Message: "of that"}}
	}
	if kind == "Issued" {
		block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"K": "v"}, Bytes: []byte("der")}))
		r.Status.CertificateChain = "words\n" + block + "words\n"
		r.Status.BeginRefreshAt, r.Status.NotAfter = &metav1.Time{Time: start.Add(time.Hour)}, &metav1.Time{Time: start.Add(2 * time.Hour)}
	}
	return r
}

func TestKeys(t *testing.T) {
	for keyType, want := range map[string]x509.PublicKeyAlgorithm{"RSA3072": x509.RSA, "ECDSAP256": x509.ECDSA, "ECDSAP384": x509.ECDSA, "ECDSAP521": x509.ECDSA, "ED25519": x509.Ed25519} {
		key, proof, err := Make(keyType)
		if err != nil {
			t.Fatalf("%s: %v", keyType, err)
		}
		r, err := x509.ParseCertificateRequest(proof)
		if err != nil || r.CheckSignature() != nil || r.PublicKeyAlgorithm != want || len(r.Subject.Names)+len(r.Extensions) > 0 {
			t.Errorf("%s: %+v, %v", keyType, r, err)
		}
		b, rest := pem.Decode(key)
		if b == nil || b.Type != "PRIVATE KEY" || len(rest) > 0 {
			t.Fatalf("%s: %s", keyType, key)
		}
		private, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if public := private.(crypto.Signer); !reflect.DeepEqual(public.Public(), r.PublicKey) {
			t.Errorf("%s: the proof is another key's", keyType)
		}
	}
	if _, _, err := Make("DSA"); err == nil || !strings.Contains(err.Error(), `unknown key type "DSA"`) {
		t.Errorf("got %v", err)
	}
}

func TestSteps(t *testing.T) {
	issued := func() *Credential {
		return &Credential{Key: []byte("k"), Refresh: start.Add(time.Hour), Ends: start.Add(2 * time.Hour)}
	}
	renewing := issued()
	renewing.Asked = &Asked{}
	for name, c := range map[string]struct {
		c    *Credential
		at   time.Duration
		want Step
		due  time.Duration
	}{
		"nothing yet":    {&Credential{}, 0, Ask, firstPause},
		"a name chosen":  {&Credential{Asked: &Asked{}}, 0, Send, poll},
		"sent":           {asked(), 0, Look, poll},
		"issued":         {issued(), time.Hour - 1, Rest, firstPause},
		"long to go":     {issued(), 0, Rest, time.Hour},
		"to be renewed":  {issued(), time.Hour, Ask, firstPause},
		"being renewed":  {renewing, time.Hour, Send, poll},
		"refused":        {&Credential{Key: []byte("k"), Refused: "denied: "}, 9 * time.Hour, Rest, 0},
		"after a fault":  {&Credential{again: start.Add(3 * time.Second)}, 0, Rest, 3 * time.Second},
		"after its time": {&Credential{again: start.Add(3 * time.Second)}, 3 * time.Second, Ask, firstPause},
	} {
		if got := c.c.Next(start.Add(c.at)); got != c.want {
			t.Errorf("%s: step %d, want %d", name, got, c.want)
		}
		if got := c.c.Due(start.Add(c.at)); got != c.due {
			t.Errorf("%s: due in %v, want %v", name, got, c.due)
		}
	}
}

// TestPausesGrow: what fails is not tried at once, and less and less often.
func TestPausesGrow(t *testing.T) {
	c, fault := &Credential{}, errors.New("no bus")
	var pauses []time.Duration
	for range 8 {
		c.Failed(fault, start, 1)
		pauses = append(pauses, c.again.Sub(start))
	}
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}; !reflect.DeepEqual(pauses, want) {
		t.Errorf("pauses %v", pauses)
	}
	if _, _, err := c.Files(); !errors.Is(err, fault) {
		t.Errorf("the reason is %v", err)
	}
	c.Failed(fault, start, 0)
	if c.again.Sub(start) != lastPause/2 {
		t.Errorf("the shortest of them is %v", c.again.Sub(start))
	}
	c.Worked()
	if c.Next(start) != Ask || c.Due(start) != firstPause {
		t.Error("a fault is remembered after what worked")
	}
}

func TestAnswers(t *testing.T) {
	other := request("Issued")
	other.Spec.StubPKCS10Request = []byte("another's")
	for name, tt := range map[string]struct {
		r     *certificatesv1.PodCertificateRequest
		event Event
		err   string
		files string // or why there are none
		next  Step
	}{
		"pending": {request(""), Event{}, "", "credential bundle is not issued yet", Look},
		"gone":    {nil, Event{}, `PodCertificateRequest "req-1" appears to have been deleted`, "credential bundle is not issued yet", Ask},
		"another": {other, Event{}, "appears to have been deleted", "credential bundle is not issued yet", Ask},
		"denied": {request("Denied"), Event{"Denied", `PodCertificateRequest ns/req-1 was denied, reason="Because", message="of that"`}, "",
			`PodCertificateRequest was permanently denied: reason="Because" message="of that"`, Rest},
		"failed": {request("Failed"), Event{"Failed", `PodCertificateRequest ns/req-1 failed, reason="Because", message="of that"`}, "",
			`PodCertificateRequest was permanently failed: reason="Because" message="of that"`, Rest},
		"issued": {request("Issued"), Event{}, "", "key-----BEGIN CERTIFICATE-----\nZGVy\n-----END CERTIFICATE-----\n", Rest},
	} {
		c := asked()
		event, err := c.Heard(tt.r, start, time.Minute)
		if event != tt.event || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %+v, %v", name, event, err)
		}
		key, chain, err := c.Files()
		got := string(key) + string(chain)
		if err != nil {
			got = err.Error()
		}
		if got != tt.files || c.Next(start) != tt.next {
			t.Errorf("%s: step %d, files %q", name, c.Next(start), got)
		}
	}
}

// TestRenewal: the former pair stays until the next is there; a refusal ends it.
func TestRenewal(t *testing.T) {
	c := asked()
	if _, err := c.Heard(request("Issued"), start, time.Minute); err != nil {
		t.Fatal(err)
	}
	due := start.Add(time.Hour + time.Minute)
	if c.Next(due.Add(-1)) != Rest || c.Next(due) != Ask {
		t.Errorf("it is renewed at %v", c.Refresh)
	}
	c.Asked = &Asked{Name: "req-1", Key: []byte("next"), Proof: []byte("proof"), Sent: true}
	if key, _, err := c.Files(); err != nil || string(key) != "key" {
		t.Errorf("meanwhile: %s, %v", key, err)
	}
	for _, step := range []struct {
		at   time.Duration
		want []Event
	}{{0, nil}, {overdueAfter + 1, []Event{{"CertificateOverdueForRefresh", "PodCertificate refresh overdue"}}}, {overdueAfter + 2, nil},
		{time.Hour - time.Minute + 1, []Event{{"CertificateExpired", "PodCertificate expired"}}}, {2 * time.Hour, nil}} {
		if got := c.Late(due.Add(step.at)); !reflect.DeepEqual(got, step.want) {
			t.Errorf("after %v: %v", step.at, got)
		}
	}
	next := *c
	if _, err := next.Heard(request("Issued"), start, 0); err != nil || string(next.Key) != "next" || next.Asked != nil || next.Overdue || next.Expired {
		t.Errorf("renewed: %+v, %v", next, err)
	}
	if _, err := c.Heard(request("Denied"), start, 0); err != nil || c.Next(due.Add(time.Hour)) != Rest {
		t.Errorf("refused: %+v, %v", c, err)
	}
	if _, _, err := c.Files(); err == nil {
		t.Error("nobody is told that there will be no other")
	}
}

// TestClocksApart: a host that is ahead of the signer does not ask without end.
func TestClocksApart(t *testing.T) {
	c := asked()
	now := start.Add(5 * time.Hour)
	if _, err := c.Heard(request("Issued"), now, 0); err != nil || c.Next(now) != Rest || c.Next(now.Add(lastPause)) != Ask {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestKept: what is written and read again goes on where it was.
func TestKept(t *testing.T) {
	for name, c := range map[string]*Credential{"new": {}, "asked": asked(), "refused": {Refused: "denied: x"},
		"issued": {Key: []byte("k"), Chain: []byte("c"), Refresh: start, Ends: start.Add(time.Hour), Overdue: true}} {
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Credential
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(&back, c) {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
}
