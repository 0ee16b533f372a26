package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
)

// joins is how many hosts are answered at once.
const joins = 16

// joinRequest is what a host asks with: its own public key. The seed stays with it.
type joinRequest struct {
	PublicKey string `json:"publicKey"`
}

type joinReply struct {
	JWT string `json:"jwt"`
}

// serveJoin signs the keys of hosts that join. Only who holds a join token can ask:
// the bus sees to that.
func (s *server) serveJoin(ctx context.Context) error {
	return s.conn.Respond(ctx, bus.JoinSubject("*"), "apiserver", joins, func(_ context.Context, subject string, data []byte) []byte {
		answer, err := s.join(subject, data)
		if err != nil {
			s.Log.Warn("a host may not join", "subject", subject, "error", err)
			return status.Encode(err)
		}
		return answer
	})
}

func (s *server) join(subject string, data []byte) ([]byte, error) {
	if s.NodeSigner == nil {
		return nil, apierrors.NewServiceUnavailable("this apiserver cannot sign credentials: start one with the cluster's node signer")
	}
	_, token, _ := strings.Cut(subject, ".")
	name, err := bus.Unescape(token)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("node name %q: %s", name, strings.Join(errs, "; ")))
	}
	var req joinRequest
	if err := json.Unmarshal(data, &req); err != nil || req.PublicKey == "" {
		return nil, apierrors.NewBadRequest("the request to join must be {\"publicKey\": …}")
	}
	token, err = s.NodeSigner.Sign(schemas.NodeName(name), req.PublicKey)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("sign credentials of node %s: %v", name, err))
	}
	s.Log.Info("a host joins", "node", name)
	return json.Marshal(joinReply{JWT: token})
}
