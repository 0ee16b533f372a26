package pod

import (
	"context"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// resize asks for other resources of a pod's main container.
func resize(ns, name, resources string) error {
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(ns), Name: schemas.Name(name)}
	body := fmt.Sprintf(`{"spec":{"containers":[{"name":"main","resources":%s}]}}`, resources)
	_, err := rig.Client.Patch(ctx, ref, types.StrategicMergePatchType, []byte(body), "resize")
	return err
}

// settled waits until the container has that limit of memory and nothing is under way.
func settled(t *testing.T, ns, name, memory string) *v1.Pod {
	t.Helper()
	return await(t, ns, name, "resized", func(p *v1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodResizePending || c.Type == v1.PodResizeInProgress {
				return false
			}
		}
		c := p.Status.ContainerStatuses[0]
		return c.State.Running != nil && c.Resources != nil && c.Resources.Limits.Memory().String() == memory
	})
}

func TestResizeInPlace(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("grow", "sleep 1000", "", "    resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 32Mi}}"))
	before := running(t, ns, "grow")
	if err := resize(ns, "grow", `{"requests":{"cpu":"20m","memory":"24Mi"},"limits":{"cpu":"150m","memory":"64Mi"}}`); err != nil {
		t.Fatal(err)
	}
	p := settled(t, ns, "grow", "64Mi")
	was, is := before.Status.ContainerStatuses[0], p.Status.ContainerStatuses[0]
	if is.ContainerID != was.ContainerID || is.RestartCount != 0 || is.AllocatedResources.Memory().String() != "24Mi" || is.Resources.Limits.Cpu().String() != "150m" {
		t.Errorf("it became %+v", is)
	}
	if got := exec(t, ns, "grow", "sh", "-c", readMemory); got != "67108864\n" {
		t.Errorf("limit of memory %s", got)
	}
	if err := resize(ns, "grow", `{"requests":{"memory":"8Mi"},"limits":{"memory":"24Mi"}}`); err != nil {
		t.Fatal(err)
	}
	p = settled(t, ns, "grow", "24Mi")
	if got := exec(t, ns, "grow", "sh", "-c", readMemory); got != "25165824\n" || p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("limit of memory %s, %d restarts", got, p.Status.ContainerStatuses[0].RestartCount)
	}
	if err := resize(ns, "grow", `{"limits":{"memory":"24Mi","cpu":"10m"},"requests":{"cpu":"10m","memory":"24Mi"}}`); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), "Pod QOS Class may not change") {
		t.Errorf("another class: %v", err)
	}
}

func TestResizeWithRestart(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, strings.Replace(script("again", "sleep 1000", "", `    resources: {requests: {memory: 16Mi}, limits: {memory: 32Mi}}
    resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]
  - name: other
    image: IMAGE
    imagePullPolicy: Never
    command: [/bin/sh, -c, sleep 1000]`), "IMAGE", podmantest.Image, 1))
	running(t, ns, "again")
	if err := resize(ns, "again", `{"limits":{"memory":"48Mi"}}`); err != nil {
		t.Fatal(err)
	}
	p := settled(t, ns, "again", "48Mi")
	if got := exec(t, ns, "again", "sh", "-c", readMemory); !strings.HasSuffix(got, "\n50331648\n") { // after a word on which container it is
		t.Errorf("limit of memory %s", got)
	}
	for _, c := range p.Status.ContainerStatuses {
		if want := map[string]int32{"main": 1, "other": 0}[c.Name]; c.RestartCount != want {
			t.Errorf("%s was restarted %d times", c.Name, c.RestartCount)
		}
	}
}

func TestResizeThatDoesNotFit(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("big", "sleep 1000", "", "    resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}"))
	running(t, ns, "big")
	if err := resize(ns, "big", `{"requests":{"cpu":"1000"}}`); err != nil {
		t.Fatal(err)
	}
	p := await(t, ns, "big", "told that it is infeasible", func(p *v1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodResizePending && c.Reason == v1.PodReasonInfeasible && strings.HasPrefix(c.Message, "Node didn't have enough capacity: cpu, requested: 1000000, capacity: ") {
				return true
			}
		}
		return false
	})
	if c := p.Status.ContainerStatuses[0]; c.AllocatedResources.Cpu().String() != "10m" || c.State.Running == nil || c.RestartCount != 0 {
		t.Errorf("it became %+v", c)
	}
	if err := resize(ns, "big", `{"requests":{"cpu":"15m"}}`); err != nil {
		t.Fatal(err)
	}
	p = settled(t, ns, "big", "32Mi")
	if c := p.Status.ContainerStatuses[0]; c.AllocatedResources.Cpu().String() != "15m" {
		t.Errorf("it became %+v", c)
	}
}
