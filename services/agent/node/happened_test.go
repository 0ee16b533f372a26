package node

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestHappened(t *testing.T) {
	node := func(boot string, closed bool) *v1.Node {
		n := &v1.Node{Spec: v1.NodeSpec{Unschedulable: closed}, Status: v1.NodeStatus{NodeInfo: v1.NodeSystemInfo{BootID: boot}}}
		n.Name = "n"
		return n
	}
	for name, c := range map[string]struct {
		was, now *v1.Node
		want     string
	}{
		"new":             {nil, node("", false), "[{Normal Starting Starting kubelet.}]"},
		"the agent anew":  {nil, node("b", false), "[{Normal Starting Starting kubelet.}]"},
		"the host anew":   {nil, node("a", false), "[{Normal Starting Starting kubelet.} {Warning Rebooted Node n has been rebooted, boot id: b}]"},
		"anew and closed": {nil, node("b", true), "[{Normal Starting Starting kubelet.} {Normal NodeNotSchedulable Node n status is now: NodeNotSchedulable}]"},
		"nothing":         {node("a", true), node("a", true), "[]"},
		"closed":          {node("b", false), node("b", true), "[{Normal NodeNotSchedulable Node n status is now: NodeNotSchedulable}]"},
		"opened":          {node("b", true), node("b", false), "[{Normal NodeSchedulable Node n status is now: NodeSchedulable}]"},
	} {
		if got := fmt.Sprint(happened(c.was, c.now, "b")); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
