//go:build linux

package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Join is `skerry join`.
type Join struct {
	Host
	URL    string        `arg:"" help:"URL of the cluster's bus, as up printed it." placeholder:"URL"`
	Token  string        `help:"Token of up, or of config token. Not needed when this host has joined before." placeholder:"TOKEN"`
	Detach bool          `short:"d" help:"Run in the background, and return when the node is ready."`
	Wait   time.Duration `name:"ready-timeout" help:"How long to wait until it is ready." default:"60s" placeholder:"DURATION"`
}

// membership is what a host keeps of having joined.
type membership struct {
	Node string `json:"node"`
	CA   string `json:"ca,omitempty"`
}

// Run implements the command.
func (c *Join) Run(ctx context.Context, s *session.Session) error {
	dir := resolve(s, c.DataDir)
	if pid, ok := dir.running(); ok {
		return errRunning{dir, pid}
	}
	if c.Detach {
		return detach(ctx, s, dir, c.Wait)
	}
	release, err := dir.lock()
	if err != nil {
		return err
	}
	defer release()
	waiting := parentOf(s)
	err = c.serve(ctx, s, dir, waiting)
	waiting.failed(err)
	return err
}

func (c *Join) serve(ctx context.Context, s *session.Session, dir dataDir, waiting *parent) error {
	log := logger(s.Stderr, c.LogLevel)
	node, err := nodeName(c.Node)
	if err != nil {
		return err
	}
	creds, ca, err := c.membership(ctx, dir, node)
	if err != nil {
		return err
	}
	p, err := findPodman(ctx, s, c.PodmanSocket, dir)
	if err != nil {
		return err
	}
	defer p.stop()
	a := &remote{url: c.URL, creds: creds, ca: ca, log: log}
	failed := make(chan error, 1) // one agent ends at most once
	m, err := start(ctx, c.agentService(node, p.socket, s.Version, dir, log), a.connect, log, func(err error) { failed <- err })
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, a, node, failed); err != nil {
		m.stop()
		<-m.done
		return err
	}
	text := fmt.Sprintf("Node %s has joined %s, Podman at %s.\n", node, c.URL, p.socket)
	s.Printf("%s", text)
	waiting.ready(text)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	m.stop()
	<-m.done
	return err
}

// awaitReady returns when the cluster calls the node ready, or the agent has ended.
func (c *Join) awaitReady(ctx context.Context, a *remote, node schemas.NodeName, failed <-chan error) error {
	conn, err := a.connect(ctx, service{name: "skerry-join", user: bus.NodeUser(node)})
	if err != nil {
		return err
	}
	defer conn.Close()
	return session.Within(ctx, c.Wait, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ready := make(chan error, 1)
		go func() { ready <- awaitNode(ctx, conn, node) }()
		select {
		case err := <-ready:
			return err
		case err := <-failed:
			cancel()
			_ = <-ready
			return err
		}
	})
}

// membership returns the node's credentials: those it has, or new ones for the token.
func (c *Join) membership(ctx context.Context, dir dataDir, node schemas.NodeName) (creds []byte, ca string, err error) {
	var known membership
	b, err := os.ReadFile(dir.path("node.json"))
	if err == nil {
		if err := json.Unmarshal(b, &known); err != nil {
			return nil, "", fmt.Errorf("read membership: %w", err)
		}
		if known.Node == string(node) && c.Token == "" {
			creds, err := os.ReadFile(dir.nodeCreds())
			if err != nil {
				return nil, "", fmt.Errorf("read credentials: %w", err)
			}
			return creds, known.CA, nil
		}
	}
	if c.Token == "" {
		return nil, "", failure.Usage("this host has not joined as %s yet: --token is needed; `skerry config token` on the first host prints one", node)
	}
	t, err := decodeToken(c.Token)
	if err != nil {
		return nil, "", err
	}
	if creds, err = askToJoin(ctx, c.URL, t, node); err != nil {
		return nil, "", err
	}
	kept, err := json.Marshal(membership{string(node), t.CA})
	if err != nil {
		return nil, "", fmt.Errorf("keep membership: %w", err)
	}
	return creds, t.CA, errors.Join(config.WriteFile(dir.nodeCreds(), creds), config.WriteFile(dir.path("node.json"), kept))
}

// askToJoin makes a key pair, whose seed stays here, and has its public half signed.
func askToJoin(ctx context.Context, url string, t token, node schemas.NodeName) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r := &remote{url: url, creds: []byte(t.Creds), ca: t.CA, log: slog.New(slog.DiscardHandler)}
	conn, err := r.connect(ctx, service{name: "skerry-join", user: joiner})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	public, credentials, err := identity.NewNodeKey()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"publicKey": public})
	if err != nil {
		return nil, fmt.Errorf("ask to join: %w", err)
	}
	answer, err := conn.Request(ctx, bus.JoinSubject(node), body)
	if err != nil {
		return nil, fmt.Errorf("ask to join: %w", err)
	}
	var reply struct {
		metav1.Status
		JWT string `json:"jwt"`
	}
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, fmt.Errorf("ask to join: %w", err)
	}
	if reply.JWT == "" {
		return nil, fmt.Errorf("ask to join: %w", &apierrors.StatusError{ErrStatus: reply.Status})
	}
	return credentials(reply.JWT)
}

// remote connects services to a bus elsewhere.
type remote struct {
	url   string
	creds []byte
	ca    string
	log   *slog.Logger
}

func (r *remote) connect(ctx context.Context, svc service) (*bus.Conn, error) {
	c := config.Context{Name: svc.name, CAData: r.ca}
	tls, err := c.TLS()
	if err != nil {
		return nil, err
	}
	return bus.ConnectRetry(ctx, bus.Options{URL: r.url, User: svc.user, Creds: r.creds, TLS: tls, Name: svc.name, Log: r.log.With("service", svc.name)})
}
