package pod

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// resize asks for other resources of a pod's main container.
func resize(ns, name, resources string) error {
	return resizeSpec(ns, name, fmt.Sprintf(`{"containers":[{"name":"main","resources":%s}]}`, resources))
}

// resizeSpec changes a pod's spec by way of the subresource.
func resizeSpec(ns, name, spec string) error {
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(ns), Name: schemas.Name(name)}
	_, err := rig.Client.Patch(ctx, ref, types.StrategicMergePatchType, []byte(`{"spec":`+spec+`}`), "resize")
	return err
}

// pending is the reason why a change of resources waits, "" if none does.
func pending(p *v1.Pod) (reason, message string) {
	for _, c := range p.Status.Conditions {
		if c.Type == v1.PodResizePending {
			return c.Reason, c.Message
		}
	}
	return "", ""
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

// TestResizeOfTheWholePod: a pod's own limits change around containers that run on.
func TestResizeOfTheWholePod(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("whole", "sleep 1000", "  resources: {requests: {cpu: 20m, memory: 24Mi}, limits: {cpu: 200m, memory: 32Mi}}", ""))
	before := running(t, ns, "whole")
	if r := before.Status.Resources; r == nil || r.Limits.Memory().String() != "32Mi" || before.Status.AllocatedResources.Memory().String() != "24Mi" {
		t.Errorf("at first it has %+v, %+v", r, before.Status.AllocatedResources)
	}
	takes48 := func() error {
		_, err := rig.TrySkerry(t, "", "exec", "-n", ns, "whole", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=48M", "count=1")
		return err
	}
	changed := func(memory string) *v1.Pod {
		t.Helper()
		if err := resizeSpec(ns, "whole", `{"resources":{"requests":{"cpu":"30m"},"limits":{"cpu":"300m","memory":"`+memory+`"}}}`); err != nil {
			t.Fatal(err)
		}
		return await(t, ns, "whole", "resized to "+memory, func(p *v1.Pod) bool {
			for _, c := range p.Status.Conditions {
				if c.Type == v1.PodResizePending || c.Type == v1.PodResizeInProgress {
					return false
				}
			}
			return p.Status.Resources.Limits.Memory().String() == memory
		})
	}
	if takes48() == nil {
		t.Error("it took 48 MiB within a limit of 32")
	}
	p := changed("96Mi")
	if err := takes48(); err != nil {
		t.Errorf("within a limit of 96: %v", err)
	}
	if is, was := p.Status.ContainerStatuses[0], before.Status.ContainerStatuses[0]; is.ContainerID != was.ContainerID || is.RestartCount != 0 ||
		p.Status.AllocatedResources.Cpu().String() != "30m" || p.Status.Resources.Limits.Cpu().String() != "300m" {
		t.Errorf("it became %+v, with %+v", is, p.Status.Resources)
	}
	changed("32Mi")
	if takes48() == nil {
		t.Error("it took 48 MiB within a limit of 32 again")
	}
	events(t, ns, "whole", "Normal ResizeStarted", "Normal ResizeCompleted")
	if err := resizeSpec(ns, "whole", `{"resources":{"requests":{"memory":"100Ti"},"limits":{"memory":"100Ti"}}}`); err != nil {
		t.Fatal(err)
	}
	p = await(t, ns, "whole", "told that it is infeasible", func(p *v1.Pod) bool {
		reason, message := pending(p)
		return reason == v1.PodReasonInfeasible && strings.HasPrefix(message, "Node didn't have enough capacity: memory, requested: ")
	})
	if p.Status.Resources.Limits.Memory().String() != "32Mi" || p.Status.AllocatedResources.Memory().String() != "24Mi" {
		t.Errorf("it has %+v, %+v", p.Status.Resources, p.Status.AllocatedResources)
	}
}

// TestResizeAddsLimitsOfTheWholePod: a pod that has nothing around its container gets them all the same.
func TestResizeAddsLimitsOfTheWholePod(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("lone", "sleep 1000", "", "    resources: {requests: {memory: 8Mi}}"))
	before := running(t, ns, "lone")
	if err := resizeSpec(ns, "lone", `{"resources":{"requests":{"memory":"24Mi"},"limits":{"memory":"32Mi"}}}`); err != nil {
		t.Fatal(err)
	}
	p := await(t, ns, "lone", "resized", func(p *v1.Pod) bool {
		return p.Status.Resources != nil && p.Status.Resources.Limits.Memory().String() == "32Mi" && len(p.Status.ContainerStatuses) == 1
	})
	if is, was := p.Status.ContainerStatuses[0], before.Status.ContainerStatuses[0]; is.ContainerID != was.ContainerID || is.RestartCount != 0 {
		t.Errorf("it became %+v", is)
	}
	rig.Eventually(t, "the limit to hold", func() error {
		if _, err := rig.TrySkerry(t, "", "exec", "-n", ns, "lone", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=48M", "count=1"); err == nil {
			return errors.New("it took 48 MiB within a limit of 32")
		}
		return nil
	})
}

// TestResizeWaitsForRoom: what does not fit now is Deferred, and granted once another pod has left.
func TestResizeWaitsForRoom(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	obj, err := rig.Client.Get(ctx, schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(host(t))})
	if err != nil {
		t.Fatal(err)
	}
	free := obj.(*v1.Node).Status.Allocatable.Memory().DeepCopy()
	free.Sub(resource.MustParse("4Gi")) // is left for the other tests
	apply(t, ns, script("filler", "sleep 1000", "", fmt.Sprintf("    resources: {requests: {memory: %d}}", free.Value()))+"---\n"+
		script("waits", "sleep 1000", "", "    resources: {requests: {memory: 16Mi}}"))
	running(t, ns, "filler")
	before := running(t, ns, "waits")
	if err := resize(ns, "waits", `{"requests":{"memory":"5Gi"}}`); err != nil {
		t.Fatal(err)
	}
	p := await(t, ns, "waits", "told that there is no room now", func(p *v1.Pod) bool {
		reason, message := pending(p)
		return reason == v1.PodReasonDeferred && strings.HasPrefix(message, "Node didn't have enough resource: memory, requested: 5368709120, used: ")
	})
	if c := p.Status.ContainerStatuses[0]; c.AllocatedResources.Memory().String() != "16Mi" {
		t.Errorf("it has %+v", c)
	}
	events(t, ns, "waits", "Warning ResizeDeferred")
	rig.Skerry(t, "", "delete", "pod", "-n", ns, "filler")
	p = await(t, ns, "waits", "granted", func(p *v1.Pod) bool {
		reason, _ := pending(p)
		return reason == "" && p.Status.ContainerStatuses[0].AllocatedResources.Memory().String() == "5Gi"
	})
	if is, was := p.Status.ContainerStatuses[0], before.Status.ContainerStatuses[0]; is.ContainerID != was.ContainerID || is.RestartCount != 0 {
		t.Errorf("it became %+v", is)
	}
}
