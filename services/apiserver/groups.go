package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
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
	if ns, _, ok := account(u); ok {
		return append(groups, "system:serviceaccounts", "system:serviceaccounts:"+string(ns))
	}
	return groups
}

// account is the service account that u names, if it names one.
func account(u bus.User) (ns schemas.Namespace, name schemas.Name, ok bool) {
	rest, ok := strings.CutPrefix(string(u), accountPrefix)
	space, called, full := strings.Cut(rest, ":")
	if !ok || !full || len(validation.IsDNS1123Label(space)) > 0 || len(validation.IsDNS1123Subdomain(called)) > 0 {
		return "", "", false
	}
	return schemas.Namespace(space), schemas.Name(called), true
}
