package caller

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// account is who a pod with a certificate is: its service account, as with a token that is
// bound to the pod.
func account(p *certificate.Pod, leaf *x509.Certificate) *api.Identity {
	const prefix = "authentication.kubernetes.io/"
	return authenticated(&api.Identity{
		User: bus.User("system:serviceaccount:" + p.Namespace + ":" + p.Account), UID: p.AccountUID,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + p.Namespace},
		Extra: map[string][]string{
			prefix + "pod-name": {p.Name}, prefix + "pod-uid": {p.UID}, prefix + "node-name": {p.Node}, prefix + "node-uid": {p.NodeUID},
			prefix + "credential-id": {fmt.Sprintf("X509SHA256=%x", sha256.Sum256(leaf.Raw))},
		},
	})
}

// Pods asks the apiserver whether pods, and the accounts that they run as, are still there.
// Safe for concurrent use.
type Pods struct {
	// Ask makes a request of the apiserver, as the gateway itself.
	Ask func(ctx context.Context, r *api.Request) (*api.Reply, error)

	mu    sync.Mutex
	known map[certificate.Pod]heard
}

// lastWords is how long a certificate lasts after its pod was told to go, as a token does.
const lastWords = time.Minute

// heard is what the apiserver said of a pod.
type heard struct {
	there bool
	until time.Time
}

// There tells whether p is there, under the uids that its certificate names. It believes
// what it heard for a while, as of tokens.
func (o *Pods) There(ctx context.Context, p *certificate.Pod) (bool, error) {
	now, key := time.Now(), *p
	o.mu.Lock()
	have, ok := o.known[key]
	o.mu.Unlock()
	if ok && now.Before(have.until) {
		return have.there, nil
	}
	there, err := o.is(ctx, schemas.Pods, p.Namespace, p.Name, p.UID)
	if err == nil && there {
		there, err = o.is(ctx, schemas.ServiceAccounts, p.Namespace, p.Account, p.AccountUID)
	}
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || len(o.known) >= maxTokens {
		o.known = map[certificate.Pod]heard{}
	}
	o.known[key] = heard{there, now.Add(fresh)}
	return there, nil
}

func (o *Pods) is(ctx context.Context, r schemas.Resource, ns, name, uid string) (bool, error) {
	reply, err := o.Ask(ctx, &api.Request{Verb: api.VerbGet, Resource: r, Namespace: schemas.Namespace(ns), Name: schemas.Name(name)})
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for the holder of a certificate: %w", err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(reply.Body, &meta); err != nil {
		return false, fmt.Errorf("look for the holder of a certificate: %w", err)
	}
	going := meta.DeletionTimestamp != nil && time.Now().After(meta.DeletionTimestamp.Add(lastWords))
	return string(meta.UID) == uid && !going, nil
}
