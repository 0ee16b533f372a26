//go:build linux

package agent

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// reporter says on the bus what becomes of pods. It implements pod.Reporter.
type reporter struct {
	node   schemas.NodeName
	poster *status.Poster
	gather *api.Gatherer // of a client that does not wait for an apiserver: pods' workers do not
}

// newReporter returns a reporter over conn.
func newReporter(conn *bus.Conn, c Config, poster *status.Poster) *reporter {
	client := api.NewClient(conn, c.Table)
	client.RetryFor = 0
	r := &reporter{node: c.Node, poster: poster, gather: api.NewGatherer(client)}
	r.gather.Linger = removalPatience
	return r
}

func (r *reporter) key(k sandbox.Key) bus.Key { return bus.ObservedPodKey(r.node, k.Namespace, k.Name) }

// removalPatience is how long the removal of a pod waits for others' that have ended at the same
// time: a set's pods on a node go together, and one request is cheaper than one for each.
const removalPatience = 10 * time.Millisecond

// endingPatience is how long what is told of a pod that is ending may wait for what
// follows at once: it is two or three statuses within a moment, and each is a synced write.
const endingPatience = 100 * time.Millisecond

func (r *reporter) Post(p *v1.Pod, ending bool) error {
	k := r.key(pod.KeyOf(p))
	if ending {
		return r.poster.PostWithin(k, p, endingPatience)
	}
	return r.poster.Post(k, p)
}

func (r *reporter) Posted(k sandbox.Key, then func()) bool { return r.poster.Posted(r.key(k), then) }

func (r *reporter) Drop(k sandbox.Key) { r.poster.Delete(r.key(k)) }

// Remove ends a graceful deletion. A pod of another uid is another pod: this one is gone.
func (r *reporter) Remove(ctx context.Context, p *v1.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	now := int64(0)
	o := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.UID}}
	_, err := r.gather.Delete(ctx, pod.KeyOf(p).Ref(), o)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
