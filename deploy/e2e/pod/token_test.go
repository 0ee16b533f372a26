package pod

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
)

const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// review asks the apiserver whose token it is.
func review(t *testing.T, token string, audiences ...string) authenticationv1.TokenReviewStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	body, err := json.Marshal(&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := rig.Client.Do(ctx, &api.Request{Verb: api.VerbCreate, Resource: schemas.TokenReviews, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	var out authenticationv1.TokenReview
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out.Status
}

// TestTokens: a pod finds its own account's token where Kubernetes' clients look for it, and
// tokens for others where it asks for them; they hold as long as the pod is there.
func TestTokens(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	rig.Skerry(t, "", "create", "serviceaccount", "robot", "-n", ns)
	apply(t, ns, script("who", sleep, `  serviceAccountName: robot
  volumes:
  - {name: vault, projected: {sources: [{serviceAccountToken: {path: token, audience: vault, expirationSeconds: 600}}]}}`,
		"    volumeMounts: [{name: vault, mountPath: /vault}]"))
	p := running(t, ns, "who")
	token := exec(t, ns, "who", "cat", tokenFile)
	st := review(t, token)
	if !st.Authenticated || st.User.Username != "system:serviceaccount:"+ns+":robot" ||
		st.User.Extra["authentication.kubernetes.io/pod-uid"][0] != string(p.UID) || st.User.Extra["authentication.kubernetes.io/node-name"][0] != "h1" {
		t.Errorf("review: %+v", st)
	}
	if out := exec(t, ns, "who", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"); out != ns {
		t.Errorf("namespace %q", out)
	}
	authority, err := os.ReadFile(rig.Authority())
	if err != nil {
		t.Fatal(err)
	}
	if out := exec(t, ns, "who", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"); !strings.HasPrefix(out, "-----BEGIN CERTIFICATE-----") || out != string(authority) {
		t.Errorf("authority %q, want %q", out, authority)
	}
	vault := exec(t, ns, "who", "cat", "/vault/token")
	if st := review(t, vault); st.Authenticated {
		t.Error("a token for another audience was taken")
	}
	if st := review(t, vault, "vault"); !st.Authenticated {
		t.Errorf("review: %+v", st)
	}
	if st := review(t, token+"x"); st.Authenticated || !strings.Contains(st.Error, "invalid bearer token") {
		t.Errorf("review: %+v", st)
	}
	rig.Skerry(t, "", "delete", "pod", "who", "-n", ns, "--timeout", labtest.Patience.String())
	if st := review(t, token); st.Authenticated {
		t.Error("the token outlived its pod")
	}
}

func TestNoTokenIsMountedWhereNobodyWantsOne(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("shy", sleep, "  automountServiceAccountToken: false", ""))
	running(t, ns, "shy")
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "shy", "--", "cat", tokenFile); err == nil {
		t.Errorf("there is a token: %s", out)
	}
	if out := refused(t, ns, script("who", sleep, "  serviceAccountName: nobody", "")); !strings.Contains(out, `serviceaccount "nobody" not found`) {
		t.Errorf("said %s", out)
	}
}

// TestTokenOfARunningPodSurvivesTheAgent: an agent that is started again renews nothing that is not due.
func TestTokenOfARunningPodSurvivesTheAgent(t *testing.T) {
	ns := rig.Namespace(t)
	apply(t, ns, script("stays", sleep, "", ""))
	running(t, ns, "stays")
	before := exec(t, ns, "stays", "cat", tokenFile)
	if err := rig.Kill("h1-agent"); err != nil {
		t.Fatal(err)
	}
	if err := rig.Hosts[0].StartAgent(); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the agent is back", func() error {
		_, err := rig.TrySkerry(t, "", "exec", "-n", ns, "stays", "--", "true")
		return err
	})
	if after := exec(t, ns, "stays", "cat", tokenFile); after != before || !review(t, after).Authenticated {
		t.Error("the token was renewed, or holds no more")
	}
}
