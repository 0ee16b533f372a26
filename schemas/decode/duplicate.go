package decode

import "strconv"

// duplicates finds keys that a map has twice, anywhere below root.
func duplicates(root *node) []*problem {
	d := duplicateFinder{seen: map[*node]bool{}}
	d.visit(root)
	return d.problems
}

type duplicateFinder struct {
	path     []string
	seen     map[*node]bool // nodes that aliases share are looked at once
	problems []*problem
}

func (d *duplicateFinder) visit(n *node) {
	if n.kind != mapNode && n.kind != listNode || d.seen[n] {
		return
	}
	d.seen[n] = true
	for i, item := range n.items {
		d.path = append(d.path, "["+strconv.Itoa(i)+"]")
		d.visit(item)
		d.path = d.path[:len(d.path)-1]
	}
	first := make(map[string]pos, len(n.pairs))
	for _, p := range n.pairs {
		d.path = append(d.path, p.key)
		if at, twice := first[p.key]; twice && !p.merged {
			dup := problemf(p.pos, "duplicate key, already set in line %d", at.line)
			dup.path = joinPath(d.path)
			d.problems = append(d.problems, dup)
		} else {
			first[p.key] = p.pos
		}
		d.visit(p.value)
		d.path = d.path[:len(d.path)-1]
	}
}
