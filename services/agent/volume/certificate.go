//go:build linux

package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/credential"
)

// Certificates has certificates issued to pods.
type Certificates interface {
	// Request asks for one for p, as s says, under a name: doing it twice is doing it once.
	Request(ctx context.Context, p *v1.Pod, s *v1.PodCertificateProjection, name schemas.Name, proof []byte) error
	// Requested returns a request with what has become of it; nil if it is gone.
	Requested(ctx context.Context, ref schemas.Ref) (*certificatesv1.PodCertificateRequest, error)
}

const (
	// issuing is how long a pod's start waits for its certificate before it is put off.
	issuing = time.Second
	// nameLength is how many letters of a request's name are chosen at random.
	nameLength = 12
)

// certificate adds the files of a key and its certificate: the former ones as long as there are
// no others.
func (c *collector) certificate(ctx context.Context, s *v1.PodCertificateProjection, index int, b base) error {
	if c.Certificates == nil {
		return errors.New("there are no PodCertificateRequests in this cluster")
	}
	cred, err := c.credential(fmt.Sprintf("%s/%d", c.name, index))
	if err != nil {
		return err
	}
	was := c.requestRef(cred)
	err = c.advance(ctx, s, cred)
	c.follow(c.state, was, c.requestRef(cred))
	for _, e := range cred.Late(c.Now()) {
		c.tellOf(e)
	}
	if err != nil {
		return err
	}
	key, chain, err := cred.Files()
	if err != nil {
		if cred.Refused != "" {
			err = missingError(err.Error()) // nothing is gained by trying again
		}
		return err
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{s.CredentialBundlePath, append(append([]byte{}, key...), chain...)}, {s.KeyPath, key}, {s.CertificateChainPath, chain}} {
		if f.path != "" {
			c.out[path.Clean(f.path)] = c.private(b, f.data, s.User)
		}
	}
	return nil
}

func (c *collector) tellOf(e credential.Event) {
	if e.Reason != "" {
		c.Recorder.Event(c.pod, v1.EventTypeWarning, e.Reason, e.Message)
	}
}

// advance takes the steps that are due. Only what cannot be kept is an error here; what else fails
// is tried again after a pause.
func (c *collector) advance(ctx context.Context, s *v1.PodCertificateProjection, cred *credential.Credential) error {
	for {
		step := cred.Next(c.Now())
		var err error
		switch step {
		case credential.Rest:
			return nil
		case credential.Ask:
			err = ask(s, cred)
		case credential.Send:
			if err = c.Certificates.Request(ctx, c.pod, s, cred.Asked.Name, cred.Asked.Proof); err == nil {
				cred.Asked.Sent = true
			}
		case credential.Look:
			err = c.look(ctx, cred)
		}
		if err != nil {
			c.Log.Debug("certificate", "pod", keyOf(c.pod), "error", err)
			cred.Failed(err, c.Now(), rand.Float64())
		} else {
			cred.Worked()
		}
		if err := c.rememberCredentials(); err != nil {
			return err
		}
		if step == credential.Look {
			return nil // whatever was heard, it is not asked again at once
		}
	}
}

func ask(s *v1.PodCertificateProjection, cred *credential.Credential) error {
	key, proof, err := credential.Make(s.KeyType)
	if err != nil {
		return err
	}
	cred.Asked = &credential.Asked{Name: schemas.Name("req-" + utilrand.String(nameLength)), Key: key, Proof: proof}
	return nil
}

// look sees what has become of the request; at a pod's start it waits a moment for an answer.
func (c *collector) look(ctx context.Context, cred *credential.Credential) error {
	ref := *c.requestRef(cred)
	told, forget := c.expect(ref)
	defer forget()
	for wait := c.starting; ; wait = false {
		r, err := c.Certificates.Requested(ctx, ref)
		if err != nil {
			return fmt.Errorf("while getting PodCertificateRequest %q: %w", ref.Name, err)
		}
		event, err := cred.Heard(r, c.Now(), rand.N(credential.Spread))
		c.tellOf(event)
		if err != nil || cred.Asked == nil || !wait {
			return err
		}
		select {
		case <-told:
		case <-time.After(issuing):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// requestRef names the request that is under way; nil if none is.
func (c *collector) requestRef(cred *credential.Credential) *schemas.Ref {
	if cred.Asked == nil {
		return nil
	}
	return &schemas.Ref{Resource: schemas.PodCertificateRequests, Namespace: schemas.Namespace(c.pod.Namespace), Name: cred.Asked.Name}
}

// follow has s's pod looked at when the request is changes, and no more when the request was does.
func (m *Manager) follow(s *state, was, is *schemas.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if was != nil {
		m.leave(*was, s.pod.UID)
	}
	if is != nil {
		m.join(*is, s.pod.UID)
	}
}

// expect returns a channel that closes when ref, which nobody else waits for, changes.
func (m *Manager) expect(ref schemas.Ref) (told <-chan struct{}, forget func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan struct{})
	m.expected[ref] = ch
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.expected[ref] == ch {
			delete(m.expected, ref)
		}
	}
}

func (m *Manager) credentialFile(uid types.UID) string {
	return filepath.Join(m.memory, string(uid), "certificates.json")
}

// credential is the one called name of the volumes of c's pod. An agent before this one may have had
// it: a restart asks for none anew. Keys are kept in memory only, so a host that boots does.
func (c *collector) credential(name string) (*credential.Credential, error) {
	if c.state.certificates == nil {
		if err := c.mountMemory(); err != nil {
			return nil, err
		}
		known := map[string]*credential.Credential{}
		data, err := os.ReadFile(c.credentialFile(c.pod.UID))
		if err == nil {
			err = json.Unmarshal(data, &known)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.Log.Warn("read kept certificates", "pod", keyOf(c.pod), "error", err)
			known = map[string]*credential.Credential{}
		}
		c.state.certificates = known
	}
	if c.state.certificates[name] == nil {
		c.state.certificates[name] = &credential.Credential{}
	}
	return c.state.certificates[name], nil
}

// rememberCredentials keeps the pod's credentials, whole or as they were.
func (c *collector) rememberCredentials() error {
	data, err := json.Marshal(c.state.certificates)
	if err != nil {
		return fmt.Errorf("keep certificates: %w", err)
	}
	to := c.credentialFile(c.pod.UID)
	if err := os.MkdirAll(filepath.Dir(to), 0o711); err != nil {
		return fmt.Errorf("keep certificates: %w", err)
	}
	if err := os.WriteFile(to+".new", data, 0o600); err != nil {
		return fmt.Errorf("keep certificates: %w", err)
	}
	return os.Rename(to+".new", to)
}
