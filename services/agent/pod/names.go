package pod

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/resolver"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// nameFiles are the mounts of the files by which c finds addresses. What they say is
// written when the pod has its address.
func (l *launching) nameFiles(c *v1.Container) ([]sandbox.Mount, error) {
	if l.Resolver == nil {
		return nil, nil
	}
	return l.Resolver.Mounts(l.pod, c)
}

// node stands for this node in events; its uid there is its name, as with the kubelet.
func (r *Reconciler) node() *v1.Node {
	return &v1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: string(r.Node), UID: types.UID(r.Node)},
	}
}

// writeNames writes these files for a sandbox that is up.
func (l *launching) writeNames(ctx context.Context, mine *sandbox.Pod) error {
	if l.Resolver == nil {
		return nil
	}
	ips, err := l.podIPs(ctx, mine)
	if err != nil {
		return err
	}
	host, domain := Names(l.pod, l.Settings.ClusterDomain)
	warnings, err := l.Resolver.Write(l.pod, resolver.Names{Host: host, Domain: domain}, ips)
	if err != nil {
		return fmt.Errorf("tell pod %s its names: %w", l.spec.Key, err)
	}
	if mine == nil {
		for _, w := range warnings {
			if !w.Node {
				l.Recorder.Event(l.pod, v1.EventTypeWarning, w.Reason, w.Message)
			} else if _, told := l.told.LoadOrStore(w, true); !told {
				l.Recorder.Event(l.node(), v1.EventTypeWarning, w.Reason, w.Message)
			}
		}
	}
	return nil
}
