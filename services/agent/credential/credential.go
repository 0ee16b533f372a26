// Package credential is the life of a key and certificate that a pod asks for: asked for, issued
// or refused, and asked for again before it ends.
//
// It reads and writes nothing. What always holds: a key is used with its own certificate only, and the
// former pair until the next is there; a request has one name however often it is
// sent; what was refused is not asked for again; no step is repeated without a pause.
package credential

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/skerry/skerry/schemas"
)

const (
	// overdueAfter is how late a renewal may be before that is told.
	overdueAfter = 10 * time.Minute
	// Spread is the most that a renewal is put off, so that pods which started together do not
	// ask together.
	Spread = 5 * time.Minute
	// poll is how often an answer is looked for that nobody told of.
	poll = 30 * time.Second

	firstPause = time.Second
	lastPause  = time.Minute
)

// Credential is what there is of one key and certificate. The zero value has nothing yet.
type Credential struct {
	Key   []byte `json:"key,omitempty"`   // PEM, PKCS#8
	Chain []byte `json:"chain,omitempty"` // PEM
	// Refresh is when to ask for the next, Ends when this one ends.
	Refresh time.Time `json:"refresh,omitzero"`
	Ends    time.Time `json:"ends,omitzero"`
	Asked   *Asked    `json:"asked,omitempty"`
	// Refused says why there will be none, or no other.
	Refused string `json:"refused,omitempty"`
	Overdue bool   `json:"overdue,omitempty"` // told
	Expired bool   `json:"expired,omitempty"` // told

	fault error     // of the last step
	again time.Time // not before
	tries int
}

// Asked is a request under way.
type Asked struct {
	Name  schemas.Name `json:"name"`
	Key   []byte       `json:"key"`
	Proof []byte       `json:"proof"` // PKCS#10, DER
	// Sent tells that the apiserver has it.
	Sent bool `json:"sent,omitempty"`
}

// Event is what a pod's events are to say.
type Event struct{ Reason, Message string }

// Step is what is to be done next.
type Step int

// The steps: none for now; make a key and choose a name; send the request; look for an answer.
const (
	Rest Step = iota
	Ask
	Send
	Look
)

// Next is the step to take at now.
func (c *Credential) Next(now time.Time) Step {
	switch {
	case c.Refused != "" || now.Before(c.again):
		return Rest
	case c.Asked != nil && c.Asked.Sent:
		return Look
	case c.Asked != nil:
		return Send
	case c.Key == nil || !now.Before(c.Refresh):
		return Ask
	}
	return Rest
}

// Due is how long until something is to be done; 0 if nothing is.
func (c *Credential) Due(now time.Time) time.Duration {
	switch {
	case c.Refused != "":
		return 0
	case now.Before(c.again):
		return c.again.Sub(now)
	case c.Asked != nil:
		return poll
	}
	return max(c.Refresh.Sub(now), firstPause)
}

// Failed notes that a step failed: it is not taken again for a while, which grows. part, of 0 to 1,
// spreads that.
func (c *Credential) Failed(err error, now time.Time, part float64) {
	pause := lastPause
	if c.tries < 6 {
		pause = firstPause << c.tries
	}
	c.tries++
	c.fault, c.again = err, now.Add(pause/2+time.Duration(part*float64(pause/2)))
}

// Worked notes that a step did not fail.
func (c *Credential) Worked() { c.fault, c.again, c.tries = nil, time.Time{}, 0 }

// Files are the key and the chain, or why there are none.
func (c *Credential) Files() (key, chain []byte, err error) {
	switch {
	case c.Refused != "":
		return nil, nil, fmt.Errorf("PodCertificateRequest was permanently %s", c.Refused)
	case c.Key != nil:
		return c.Key, c.Chain, nil
	case c.fault != nil:
		return nil, nil, c.fault
	}
	return nil, nil, fmt.Errorf("credential bundle is not issued yet")
}

// Heard takes in what has become of the request: r, nil if it is gone. The next is asked for later
// than the signer says, so that not all do at once.
func (c *Credential) Heard(r *certificatesv1.PodCertificateRequest, now time.Time, later time.Duration) (Event, error) {
	if r == nil || !bytes.Equal(r.Spec.StubPKCS10Request, c.Asked.Proof) {
		name := c.Asked.Name
		c.Asked = nil
		return Event{}, fmt.Errorf("PodCertificateRequest %q appears to have been deleted", name)
	}
	for _, cond := range r.Status.Conditions {
		said := fmt.Sprintf("reason=%q message=%q", cond.Reason, cond.Message)
		tell := func(how string) Event {
			return Event{cond.Type, fmt.Sprintf("PodCertificateRequest %s/%s %s, reason=%q, message=%q", r.Namespace, r.Name, how, cond.Reason, cond.Message)}
		}
		switch cond.Type {
		case certificatesv1.PodCertificateRequestConditionTypeDenied:
			c.Asked, c.Refused = nil, "denied: "+said
			return tell("was denied"), nil
		case certificatesv1.PodCertificateRequestConditionTypeFailed:
			c.Asked, c.Refused = nil, "failed: "+said
			return tell("failed"), nil
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			if r.Status.BeginRefreshAt == nil || r.Status.NotAfter == nil {
				return Event{}, fmt.Errorf("PodCertificateRequest %q is issued without its times", r.Name)
			}
			*c = Credential{Key: c.Asked.Key, Chain: clean(r.Status.CertificateChain), Refresh: r.Status.BeginRefreshAt.Add(later), Ends: r.Status.NotAfter.Time}
			if soonest := now.Add(lastPause); c.Refresh.Before(soonest) {
				c.Refresh = soonest // this host's clock is not the signer's
			}
			return Event{}, nil
		}
	}
	return Event{}, nil
}

// Late are the events about a renewal that does not come, each once.
func (c *Credential) Late(now time.Time) []Event {
	var out []Event
	if c.Key == nil || c.Refused != "" {
		return nil
	}
	if now.After(c.Refresh.Add(overdueAfter)) && !c.Overdue {
		c.Overdue = true
		out = append(out, Event{"CertificateOverdueForRefresh", "PodCertificate refresh overdue"})
	}
	if now.After(c.Ends) && !c.Expired {
		c.Expired = true
		out = append(out, Event{"CertificateExpired", "PodCertificate expired"})
	}
	return out
}

// clean is a chain without headers and what is between its blocks.
func clean(chain string) []byte {
	var out bytes.Buffer
	rest := []byte(chain)
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out.Bytes()
		}
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: b.Bytes}) // a buffer takes all
	}
}
