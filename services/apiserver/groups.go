package apiserver

import (
	"strings"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/rbac"
)

// owner is who `skerry up` makes: they may do everything.
const owner = bus.User("admin")

const accountPrefix = "system:serviceaccount:"

// groupsOf are the groups that a user of the bus is in by their name.
func groupsOf(u bus.User) []string {
	groups := []string{rbac.GroupAuthenticated}
	if _, node := u.Node(); node {
		return append(groups, "system:nodes")
	}
	if u == owner {
		return append(groups, access.GroupMasters)
	}
	account, ok := strings.CutPrefix(string(u), accountPrefix)
	if ns, _, full := strings.Cut(account, ":"); ok && full {
		return append(groups, "system:serviceaccounts", "system:serviceaccounts:"+ns)
	}
	return groups
}
