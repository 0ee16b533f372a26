package gateway

import (
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// enter counts a request in, or refuses it where limit are running.
func (s *server) enter(n *atomic.Int64, limit int) (leave func(), err error) {
	if n.Add(1) > int64(limit) {
		n.Add(-1)
		return nil, apierrors.NewTooManyRequests("too many requests are running, please try again later", 1)
	}
	return sync.OnceFunc(func() { n.Add(-1) }), nil
}
