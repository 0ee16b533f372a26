package identity

import (
	"fmt"

	"github.com/nats-io/jwt/v2"

	"github.com/skerry/skerry/bus"
)

// Role is a row of the writers' table.
type Role string

// The roles. A role's permissions are in permissions.
const (
	RoleAPIServer  Role = "apiserver"
	RoleController Role = "controller"
	RoleScheduler  Role = "scheduler"
	RoleNode       Role = "node"  // an agent
	RoleAdmin      Role = "admin" // a person with the CLI
	RoleJoin       Role = "join"  // may only ask to join
	RoleGateway    Role = "gateway"
	RoleUser       Role = "user" // a person with the CLI, who may what roles allow
)

// Roles lists every role, in the order in which signing keys are kept.
func Roles() []Role {
	return []Role{RoleAPIServer, RoleController, RoleScheduler, RoleNode, RoleAdmin, RoleJoin, RoleGateway, RoleUser}
}

// The server puts these in place of a template's functions when a user connects:
// the user's own token, and, for agents, the node's.
const (
	self = "{{name()}}"
	node = "{{tag(node)}}"
)

// permissions is the writers' table as NATS enforces it. Everything that is not
// named is denied. Nobody may delete or purge a stream, nor make a consumer: a
// push consumer's deliver subject could be somebody else's.
func permissions(r Role) (jwt.Permissions, error) {
	var p jwt.Permissions
	pub := func(s ...string) { p.Pub.Allow.Add(s...) }
	sub := func(s ...string) { p.Sub.Allow.Add(s...) }

	sub("_INBOX." + self + ".>")
	switch r {
	case RoleAPIServer:
		pub("$KV.state.desired.>", "$KV.state.reserved.>", "$KV.revisions.>", "events.>", "audit.>")
		for _, s := range []string{"KV_state", "KV_revisions", "KV_leases", bus.StreamEvents, bus.StreamAudit} {
			pub("$JS.API.STREAM.CREATE."+s, "$JS.API.STREAM.UPDATE."+s)
		}
		readState(pub, sub)
		pub("_INBOX.>", bus.StatusSubject, bus.BindSubject, bus.ExplainSubject)
		pub(bus.StreamSubject("*", bus.PeerAPIServer, "*", "out"), "node.*."+self+".changed")
		sub("api.>", "join.*", "$SRV.>", bus.StreamSubject("*", bus.PeerAPIServer, "*", "in"))
	case RoleController:
		pub("$KV.state.current.>", "$KV.leases."+string(bus.LeaderLeaseKey("controller")))
		readState(pub, sub)
		callAPI(pub, sub)
		pub("_INBOX.>")
		sub("controller.>", bus.HeartbeatSubject("*"), "$SRV.>")
	case RoleScheduler:
		pub("$KV.state.assigned.>", "$KV.leases."+string(bus.LeaderLeaseKey("scheduler")), "$KV.leases."+string(bus.LeaderLeaseKey("scheduler"))+".>")
		readState(pub, sub)
		callAPI(pub, sub)
		pub("_INBOX.>", bus.ClaimSubject)
		sub("scheduler.>", "$SRV.>")
	case RoleNode:
		pub("$KV.state.observed."+node+".>", "heartbeat."+node)
		callAPI(pub, sub)
		pub("stream.*." + node + ".*.out")
		sub("watch.state.assigned."+node+".>", "watch.state.desired.nodes._."+node, "node."+node+".>", "stream.*."+node+".*.in")
		// Replies to requests that came in, and nothing else's inbox.
		p.Resp = &jwt.ResponsePermission{MaxMsgs: 16, Expires: responseTTL}
	case RoleAdmin:
		callAPI(pub, sub)
		readState(pub, sub)
		pub("node.*."+self+".>", "$SRV.>", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST")
	case RoleJoin:
		pub("join.*")
	case RoleGateway:
		// No state of its own, and none to read: the apiserver decides what it may see
		// for whom it asks.
		callAPI(pub, sub)
		pub("node.*." + self + ".>")
	case RoleUser:
		// The apiserver decides about the first, the agents ask it about the others.
		callAPI(pub, sub)
		for _, verb := range []string{"logs", "exec", "attach", "portforward", "copy"} {
			pub("node.*." + self + "." + verb)
		}
	default:
		return p, fmt.Errorf("unknown role %q", r)
	}
	return p, nil
}

// readState lets a role read every stream (state, revisions, leases) and follow it.
func readState(pub, sub func(...string)) {
	pub("$JS.API.STREAM.INFO.*", "$JS.API.DIRECT.GET.>", "$JS.API.STREAM.MSG.GET.*")
	sub("watch.>")
}

// callAPI lets a role make requests of the apiserver as itself, and open streams.
func callAPI(pub, sub func(...string)) {
	pub("api."+self+".>", "stream."+self+".*.*.in")
	sub("stream." + self + ".*.*.out")
}
