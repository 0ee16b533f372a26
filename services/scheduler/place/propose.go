package place

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/placement"
)

// Together is what a pod's group asks for.
type Together struct {
	Name string // of the group, with its namespace
	// Need of the pods are placed at once, or none. Why is not empty if none can be yet.
	Need int
	Why  string
	// Within and Beside are as for PlaceGangIn; without Within they may be anywhere.
	Within string
	Beside []types.UID
}

// Short says that a gang is refused: of total pods, with those that have a node already.
func (g *Gang) Short(name string, already, total, must int) string {
	reasons := slices.DeleteFunc(slices.Clone(g.Refused), func(r string) bool { return r == "" })
	slices.Sort(reasons)
	return fmt.Sprintf("pod group %q: %d of %d pods fit, %d must. %s", name, g.Placed+already, total, must, strings.Join(slices.Compact(reasons), " "))
}

// plan is pods that are proposed, while they are tried.
type plan struct {
	c      *Cluster
	out    []placement.Placement
	placed []types.UID
}

// Propose tells where pods would go if they came now, one after the other, but those of a
// group at once; together is nil for a pod without one. The cluster is as it was afterwards.
func (c *Cluster) Propose(proposals []placement.Proposal, together func(*v1.Pod) *Together) *placement.Plan {
	p := &plan{c: c}
	groups := map[string][]int{}
	for i, proposal := range proposals {
		p.out = append(p.out, placement.Placement{Pod: proposal.Pod.Namespace + "/" + proposal.Pod.Name, Nodes: map[string]int{}})
		if t := together(proposal.Pod); t != nil {
			groups[t.Name] = append(groups[t.Name], i)
		}
	}
	for i, proposal := range proposals {
		t := together(proposal.Pod)
		switch {
		case t == nil:
			p.alone(i, proposal)
		case groups[t.Name][0] == i:
			p.group(t, groups[t.Name], proposals)
		}
	}
	for _, uid := range p.placed {
		c.RemovePod(uid)
	}
	return &placement.Plan{Placements: p.out}
}

func (p *plan) alone(i int, proposal placement.Proposal) {
	for n := range proposal.Count {
		pod := proposed(proposal.Pod, i, n)
		node, err := p.c.Decide(pod)
		var unfit *Unfit
		if errors.As(err, &unfit) {
			p.out[i].Unplaced, p.out[i].Message = proposal.Count-n, unfit.Error()
			return // the others are alike
		}
		p.c.SetPod(pod, node)
		p.placed = append(p.placed, pod.UID)
		p.out[i].Nodes[string(node)]++
	}
}

// group places the pods of the proposals at places.
func (p *plan) group(t *Together, places []int, proposals []placement.Proposal) {
	var pods []*Pod
	var of []int // whose they are
	for _, i := range places {
		for n := range proposals[i].Count {
			pods, of = append(pods, proposed(proposals[i].Pod, i, n)), append(of, i)
		}
	}
	need := min(t.Need, len(pods))
	got, why := &Gang{}, t.Why
	switch {
	case why != "":
	case t.Within != "":
		got = p.c.PlaceGangIn(pods, need, t.Within, t.Beside)
	default:
		got = p.c.PlaceGang(pods, need)
	}
	if why == "" && got.Placed < need {
		_, name, _ := strings.Cut(t.Name, "/")
		why = got.Short(name, len(t.Beside), len(pods)+len(t.Beside), need+len(t.Beside))
	}
	for k, pod := range pods {
		out := &p.out[of[k]]
		if why == "" && got.Nodes[k] != "" {
			p.placed = append(p.placed, pod.UID)
			out.Nodes[string(got.Nodes[k])]++
			continue
		}
		out.Unplaced++
		if out.Message = why; why == "" {
			out.Message = got.Refused[k]
		}
	}
}

// proposed is the nth pod of a proposal.
func proposed(of *v1.Pod, i, n int) *Pod {
	pod := *of
	pod.UID = uidOf(i, n)
	return NewPod(&pod)
}
