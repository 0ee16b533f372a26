// Package account finds out which ids a user of an image has.
//
// It is pure: it reads an image's /etc/passwd and /etc/group as they are given to it, and
// writes nothing. What always holds: lines that are no entries are passed over; an
// id needs no entry, a name does.
package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Identity is a user's ids: its own, its group's, and those of the groups that list it.
type Identity struct {
	UID, GID int64
	Groups   []int64
}

// Resolve finds the ids of user, written as an image does: "", "1000", "app",
// "app:staff", "1000:100". "" is root. A group that is named takes the place of the
// user's own; the groups that list the user are told in any case.
func Resolve(user string, passwd, group []byte) (Identity, error) {
	name, groupName, hasGroup := strings.Cut(user, ":")
	var id Identity
	uid, numeric := number(name)
	if name == "" {
		uid, numeric = 0, true
	}
	entry := find(passwd, 4, func(f []string) bool {
		n, ok := number(f[2])
		return ok && (f[0] == name || numeric && n == uid)
	})
	switch {
	case entry != nil:
		id.UID, _ = number(entry[2])
		id.GID, _ = number(entry[3])
		name = entry[0]
	case numeric:
		id.UID = uid
	default:
		return Identity{}, fmt.Errorf("unable to find user %s: no matching entries in passwd file", name)
	}
	if hasGroup && groupName != "" {
		gid, err := groupID(groupName, group)
		if err != nil {
			return Identity{}, err
		}
		id.GID = gid
	}
	if entry != nil {
		id.Groups = memberships(name, group)
	}
	return id, nil
}

func groupID(name string, group []byte) (int64, error) {
	entry := find(group, 3, func(f []string) bool { return f[0] == name })
	if entry != nil {
		if gid, ok := number(entry[2]); ok {
			return gid, nil
		}
	}
	if gid, ok := number(name); ok {
		return gid, nil
	}
	return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", name)
}

// memberships are the ids of the groups that list name.
func memberships(name string, group []byte) []int64 {
	var out []int64
	each(group, 4, func(f []string) bool {
		if gid, ok := number(f[2]); ok && slices.Contains(strings.Split(f[3], ","), name) {
			out = append(out, gid)
		}
		return true
	})
	return out
}

func find(file []byte, fields int, match func([]string) bool) (found []string) {
	each(file, fields, func(f []string) bool {
		if match(f) {
			found = f
		}
		return found == nil
	})
	return found
}

// each visits the lines that have at least that many fields, until visit is false.
func each(file []byte, fields int, visit func([]string) bool) {
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSpace(line)
		if f := strings.Split(line, ":"); line != "" && line[0] != '#' && len(f) >= fields && !visit(f) {
			return
		}
	}
}

// number reads an id: up to 2³¹-1, as Kubernetes takes them.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return n, err == nil && n >= 0
}
