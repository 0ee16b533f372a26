//go:build linux

package volume

import (
	"io/fs"
	"os"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/member"
)

// ownership is whom the files of a pod's volumes belong to besides root.
type ownership struct {
	group *int64 // fsGroup
	// readOnly volumes give the group only what it needs to read.
	readOnly bool
}

func ownershipOf(p *v1.Pod, readOnly bool) ownership {
	if p.Spec.SecurityContext == nil {
		return ownership{readOnly: readOnly}
	}
	return ownership{group: p.Spec.SecurityContext.FSGroup, readOnly: readOnly}
}

// mode is what a file of mode m gets: with an fsGroup the group may read it (and write
// it, unless the volume is read-only), and what is made in a directory belongs to the group.
func (o ownership) mode(m fs.FileMode) fs.FileMode {
	if o.group == nil {
		return m
	}
	if o.readOnly {
		m |= 0o440
	} else {
		m |= 0o660
	}
	if m.IsDir() {
		m |= 0o110 | fs.ModeSetgid
	}
	return m
}

// set gives name, below root, its owner and mode.
func (o ownership) set(root *os.Root, name string, m fs.FileMode, uid *int64) error {
	user, group := -1, -1
	if uid != nil {
		user = int(*uid)
	}
	if o.group != nil {
		group = int(*o.group)
	}
	if user >= 0 || group >= 0 {
		if err := root.Lchown(name, user, group); err != nil {
			return err
		}
	}
	m = o.mode(m)
	return root.Chmod(name, m.Perm()|m&(fs.ModeSetgid|fs.ModeSticky))
}

// tokenUser is the user that all of p's containers run as, whom a token's or a key's file belongs
// to; nil if they differ or nobody said.
func tokenUser(p *v1.Pod) *int64 {
	var podUser *int64
	if s := p.Spec.SecurityContext; s != nil {
		podUser = s.RunAsUser
	}
	var common *int64
	first := true
	for _, c := range member.All(p) {
		u := podUser
		if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
			u = c.SecurityContext.RunAsUser
		}
		if u == nil || !first && *u != *common {
			return nil
		}
		common, first = u, false
	}
	return common
}
