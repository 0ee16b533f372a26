package node

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// maxImages is how many images a node lists, as the kubelet's default.
const maxImages = 50

// images lists the largest images for the scheduler; nil if they cannot be listed
// or were listed with the last status and are not due again.
func (n *Node) images(ctx context.Context) []v1.ContainerImage {
	n.mu.Lock()
	old, fresh := n.status.Images, n.Now().Sub(n.posted) < postEvery
	n.mu.Unlock()
	if fresh && old != nil {
		return old
	}
	list, err := n.Runtime.Images(ctx)
	if err != nil {
		return old
	}
	out := make([]v1.ContainerImage, 0, len(list))
	for _, i := range list {
		if len(i.Names) > 0 {
			out = append(out, v1.ContainerImage{Names: i.Names, SizeBytes: i.Size})
		}
	}
	slices.SortFunc(out, func(a, b v1.ContainerImage) int {
		return cmp.Or(cmp.Compare(b.SizeBytes, a.SizeBytes), slices.Compare(a.Names, b.Names))
	})
	return out[:min(len(out), maxImages)]
}

// compute is the status now. With n.mu held.
func (n *Node) compute(runtimeErr error, images []v1.ContainerImage) v1.NodeStatus {
	st := v1.NodeStatus{Capacity: n.capacity(), Images: images}
	if images == nil {
		st.Images = n.status.Images
	}
	st.Allocatable = allocatable(st.Capacity, n.Reserved)
	for _, ip := range n.hostIPs {
		st.Addresses = append(st.Addresses, v1.NodeAddress{Type: v1.NodeInternalIP, Address: ip})
	}
	st.Addresses = append(st.Addresses, v1.NodeAddress{Type: v1.NodeHostName, Address: string(n.Name)})
	st.NodeInfo = n.system()
	st.NodeInfo.ContainerRuntimeVersion = runtimePrefix + n.version
	st.NodeInfo.KubeletVersion = "skerry " + n.Version
	st.NodeInfo.OperatingSystem, st.NodeInfo.Architecture = runtime.GOOS, runtime.GOARCH
	st.Conditions = conditions(n.status.Conditions, runtimeErr, n.Network(), n.Pressure(), n.Now())
	return st
}

// conditions are the kubelet's, with its reasons.
func conditions(before []v1.NodeCondition, runtimeErr error, network bool, pressure map[v1.NodeConditionType]bool, now time.Time) []v1.NodeCondition {
	readiness := v1.NodeCondition{Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"}
	switch {
	case runtimeErr != nil:
		readiness.Status, readiness.Reason = v1.ConditionFalse, "KubeletNotReady"
		readiness.Message = "container runtime is down: " + runtimeErr.Error()
	case !network:
		readiness.Status, readiness.Reason = v1.ConditionFalse, "KubeletNotReady"
		readiness.Message = "container runtime network not ready: the node has no pod CIDR yet"
	}
	out := append(pressures(pressure), readiness)
	stamp := metav1.NewTime(now.Truncate(time.Second))
	for i := range out {
		out[i].LastHeartbeatTime, out[i].LastTransitionTime = stamp, stamp
		for _, b := range before {
			if b.Type == out[i].Type && b.Status == out[i].Status {
				out[i].LastTransitionTime = b.LastTransitionTime
			}
		}
	}
	return out
}

// timeless is st without what changes all the time.
func timeless(st v1.NodeStatus) v1.NodeStatus {
	out := *st.DeepCopy()
	for i := range out.Conditions {
		out.Conditions[i].LastHeartbeatTime = metav1.Time{}
	}
	return out
}

func ready(st v1.NodeStatus) v1.ConditionStatus {
	for _, c := range st.Conditions {
		if c.Type == v1.NodeReady {
			return c.Status
		}
	}
	return ""
}

// capacity is what the host has. With n.mu held, or before n is shared.
func (n *Node) capacity() v1.ResourceList {
	if n.Capacity != nil {
		return n.Capacity
	}
	root := n.graphRoot
	if root == "" {
		root = "/"
	}
	disk, _ := Disk(root)
	out := v1.ResourceList{
		v1.ResourceCPU:              *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		v1.ResourceMemory:           *resource.NewQuantity(memoryTotal(), resource.BinarySI),
		v1.ResourceEphemeralStorage: *resource.NewQuantity(int64(disk.Total), resource.BinarySI),
		v1.ResourcePods:             *resource.NewQuantity(n.MaxPods, resource.DecimalSI),
	}
	maps.Copy(out, hugePages("/sys/kernel/mm/hugepages"))
	maps.Copy(out, n.Extended)
	return out
}

func allocatable(capacity, reserved v1.ResourceList) v1.ResourceList {
	out := capacity.DeepCopy()
	subtract := func(name v1.ResourceName, r resource.Quantity) {
		q, ok := out[name]
		if !ok {
			return
		}
		q.Sub(r)
		if q.Sign() < 0 {
			q = resource.Quantity{Format: q.Format}
		}
		out[name] = q
	}
	// Huge pages are taken out of the memory beforehand.
	for name, q := range capacity {
		if _, ok := amount.HugePage(name); ok {
			subtract(v1.ResourceMemory, q)
		}
	}
	for name, r := range reserved {
		subtract(name, r)
	}
	return out
}
