package pod

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"

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
			l.Recorder.Event(l.pod, v1.EventTypeWarning, w.Reason, w.Message)
		}
	}
	return nil
}
