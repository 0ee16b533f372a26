package bus

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skerry/skerry/schemas"
)

// Streams and buckets. A bucket B is the stream KV_B over the subjects $KV.B.>.
const (
	BucketState     = "state"
	BucketRevisions = "revisions"
	BucketLeases    = "leases"
	StreamEvents    = "events"
	StreamAudit     = "audit"
)

// The five prefixes of the state bucket. Each has one writer.
const (
	PrefixDesired  = "desired"  // apiserver: metadata and spec
	PrefixAssigned = "assigned" // scheduler: work orders
	PrefixObserved = "observed" // the node's agent: statuses
	PrefixCurrent  = "current"  // controller: conclusions
	PrefixReserved = "reserved" // apiserver: what only one object may have
)

// None stands for a namespace or node that is not there: cluster-scoped objects'
// namespace, and the node of a pod that is not placed. No valid name is "_".
const None = "_"

// User is who asks: "admin", "system:controller", "system:node:n1".
type User string

// NodeUser returns the user that node's agent connects as.
func NodeUser(node schemas.NodeName) User { return User("system:node:" + string(node)) }

// Node returns the node that u is the agent of, if it is one.
func (u User) Node() (schemas.NodeName, bool) {
	n, ok := strings.CutPrefix(string(u), "system:node:")
	return schemas.NodeName(n), ok && n != ""
}

// Escape makes s one token of a key or subject, reversibly: every byte but
// letters, digits, '-', '_' and '/' becomes "=xx". Dots too, unless dots is true
// (only for the last part of a key).
func Escape(s string, dots bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '/', dots && c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}

// Unescape is the inverse of Escape.
func Unescape(s string) (string, error) {
	if !strings.Contains(s, "=") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		if i+2 >= len(s) {
			return "", fmt.Errorf("unescape %q: truncated escape", s)
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
			return "", fmt.Errorf("unescape %q: %w", s, err)
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), nil
}

// resourceToken renders "pods" or "apps/deployments"; a group's dots become '_',
// which no group has.
func resourceToken(r schemas.Resource) string {
	if r.Group == "" {
		return r.Plural
	}
	return strings.ReplaceAll(r.Group, ".", "_") + "/" + r.Plural
}

func parseResourceToken(s string) schemas.Resource {
	group, plural, ok := strings.Cut(s, "/")
	if !ok {
		return schemas.Resource{Plural: s}
	}
	return schemas.Resource{Group: strings.ReplaceAll(group, "_", "."), Plural: plural}
}

func orNone(s string) string {
	if s == "" {
		return None
	}
	return Escape(s, false)
}

// MaxBatch is the most writes that are stored together. A server of one's own needs it as
// its jetstream.limits.batch.max_msgs; NATS' default is 1,000.
const MaxBatch = 20_000

// Key is a key of a bucket: tokens separated by dots, escaped.
type Key string

// DesiredKey is desired.<resource>.<namespace>.<name>.
func DesiredKey(r schemas.Ref) Key { return objectKey(PrefixDesired, r) }

// CurrentKey is current.<resource>.<namespace>.<name>.
func CurrentKey(r schemas.Ref) Key { return objectKey(PrefixCurrent, r) }

func objectKey(prefix string, r schemas.Ref) Key {
	return Key(prefix + "." + resourceToken(r.Resource) + "." + orNone(string(r.Namespace)) + "." + Escape(string(r.Name), true))
}

// ReservedKey is reserved.<sort>.<value>: its value says which object has the one thing of
// its sort that value names. It is no part of an object, and readers of objects skip it.
func ReservedKey(sort, value string) Key {
	return Key(PrefixReserved + "." + Escape(sort, false) + "." + Escape(value, true))
}

// Reserved tells whether k is such a key.
func (k Key) Reserved() bool { return strings.HasPrefix(string(k), PrefixReserved+".") }

// RevisionKey is <resource>.<namespace>.<name> in the revisions bucket.
func RevisionKey(r schemas.Ref) Key {
	return Key(strings.TrimPrefix(string(DesiredKey(r)), PrefixDesired+"."))
}

// AssignedKey is assigned.<node>.<namespace>.<pod>; node "" means not placed:
// assigned._.<namespace>.<pod> holds why.
func AssignedKey(node schemas.NodeName, ns schemas.Namespace, pod schemas.Name) Key {
	return Key(PrefixAssigned + "." + orNone(string(node)) + "." + orNone(string(ns)) + "." + Escape(string(pod), true))
}

// ObservedPodKey is observed.<node>.pods.<namespace>.<pod>.
func ObservedPodKey(node schemas.NodeName, ns schemas.Namespace, pod schemas.Name) Key {
	return Key(PrefixObserved + "." + orNone(string(node)) + ".pods." + orNone(string(ns)) + "." + Escape(string(pod), true))
}

// ObservedNodeKey is observed.<node>.node.
func ObservedNodeKey(node schemas.NodeName) Key {
	return Key(PrefixObserved + "." + orNone(string(node)) + ".node")
}

// AssignedFilter matches every work order of node; node "" those of no node.
func AssignedFilter(node schemas.NodeName) string {
	return PrefixAssigned + "." + orNone(string(node)) + ".>"
}

// OwnNodeFilter matches the Node that node is, as desired; "" for a name with dots,
// which the permissions of the node's credentials cannot express.
func OwnNodeFilter(node schemas.NodeName) string {
	if Escape(string(node), true) != Escape(string(node), false) {
		return ""
	}
	return string(DesiredKey(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(node)}))
}

// ObservedFilter matches all that node's agent writes.
func ObservedFilter(node schemas.NodeName) string {
	return PrefixObserved + "." + orNone(string(node)) + ".>"
}

// LeaderLeaseKey is leader.<service> in the leases bucket.
func LeaderLeaseKey(service string) Key { return Key("leader." + Escape(service, true)) }

// SchedulerLease is the service that schedulers of a name are elected for: "scheduler"
// for the default one, scheduler.<name> for another.
func SchedulerLease(name string) string {
	if name == defaultScheduler {
		return "scheduler"
	}
	return "scheduler." + name
}

// defaultScheduler is Kubernetes' name of the scheduler of pods that name none.
const defaultScheduler = "default-scheduler"

// StateKey is a parsed key of the state bucket.
type StateKey struct {
	Prefix string
	// Ref is the object the key is a part of.
	Ref schemas.Ref
	// Node is set for assigned and observed keys; "" if not placed.
	Node schemas.NodeName
}

// ParseStateKey parses a key of the state bucket. Keys of a form that this
// version does not know are an error; readers skip them.
func ParseStateKey(k Key) (StateKey, error) {
	prefix, rest, _ := strings.Cut(string(k), ".")
	bad := fmt.Errorf("parse key %q: unknown form", k)
	un := func(s string) string {
		if s == None {
			return ""
		}
		u, err := Unescape(s)
		if err != nil {
			bad = err
			return ""
		}
		return u
	}
	switch prefix {
	case PrefixDesired, PrefixCurrent:
		p := strings.SplitN(rest, ".", 3)
		if len(p) != 3 {
			return StateKey{}, bad
		}
		ref := schemas.Ref{Resource: parseResourceToken(p[0]), Namespace: schemas.Namespace(un(p[1])), Name: schemas.Name(un(p[2]))}
		if ref.Name == "" {
			return StateKey{}, bad
		}
		return StateKey{Prefix: prefix, Ref: ref}, nil
	case PrefixAssigned, PrefixObserved:
		node, tail, ok := strings.Cut(rest, ".")
		if !ok {
			return StateKey{}, bad
		}
		sk := StateKey{Prefix: prefix, Node: schemas.NodeName(un(node))}
		if prefix == PrefixObserved {
			if tail == "node" {
				sk.Ref = schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(sk.Node)}
				return sk, nil
			}
			if tail, ok = strings.CutPrefix(tail, "pods."); !ok {
				return StateKey{}, bad
			}
		}
		ns, pod, ok := strings.Cut(tail, ".")
		if !ok || pod == "" {
			return StateKey{}, bad
		}
		sk.Ref = schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(un(ns)), Name: schemas.Name(un(pod))}
		if sk.Ref.Name == "" {
			return StateKey{}, bad
		}
		return sk, nil
	}
	return StateKey{}, bad
}

// KVSubject is the subject that bucket's key is stored under: $KV.<bucket>.<key>.
func KVSubject(bucket string, k Key) string { return "$KV." + bucket + "." + string(k) }

// WatchSubject is where the server republishes what was stored in the state
// bucket: watch.state.<filter>. Filters may hold wildcards.
func WatchSubject(bucket, filter string) string { return "watch." + bucket + "." + filter }

// EventSubject is events.<namespace>.<name>: where the apiserver stores an Event.
func EventSubject(ns schemas.Namespace, name schemas.Name) string {
	return "events." + orNone(string(ns)) + "." + Escape(string(name), true)
}

// AuditSubject is audit.<user>.<verb>.
func AuditSubject(u User, verb string) string { return "audit." + u.Token() + "." + verb }

// Token is u as one subject token.
func (u User) Token() string { return Escape(string(u), false) }

// APISubject is api.<user>.<verb>.<resource>: a request of the apiserver.
// With User "*" it is what the apiserver subscribes to.
func APISubject(u User, verb string, r schemas.Resource) string {
	return "api." + wild(u) + "." + verb + "." + resourceToken(r)
}

// APIEndpoint is api.*.<verb>.*: what the apiserver's endpoint for verb serves.
func APIEndpoint(verb string) string { return "api.*." + verb + ".*" }

// ParseAPISubject undoes APISubject.
func ParseAPISubject(subject string) (User, string, schemas.Resource, error) {
	p := strings.Split(subject, ".")
	if len(p) != 4 || p[0] != "api" {
		return "", "", schemas.Resource{}, fmt.Errorf("parse subject %q: not api.<user>.<verb>.<resource>", subject)
	}
	u, err := Unescape(p[1])
	if err != nil {
		return "", "", schemas.Resource{}, err
	}
	return User(u), p[2], parseResourceToken(p[3]), nil
}

// NodeSubject is node.<node>.<user>.<verb>: a request of a node's agent
// (logs, exec, …). With User "*" it is what the agent subscribes to.
func NodeSubject(node schemas.NodeName, u User, verb string) string {
	return "node." + Escape(string(node), false) + "." + wild(u) + "." + verb
}

// HeartbeatSubject is heartbeat.<node>: node lives. With node "*" it is what who listens
// subscribes to.
func HeartbeatSubject(node schemas.NodeName) string {
	if node == "*" {
		return heartbeat + "*"
	}
	return heartbeat + Escape(string(node), false)
}

const heartbeat = "heartbeat."

// ParseHeartbeatSubject undoes HeartbeatSubject.
func ParseHeartbeatSubject(subject string) (schemas.NodeName, error) {
	n, ok := strings.CutPrefix(subject, heartbeat)
	if !ok || n == "" {
		return "", fmt.Errorf("parse subject %q: not heartbeat.<node>", subject)
	}
	n, err := Unescape(n)
	return schemas.NodeName(n), err
}

// StatusSubject is controller.status: the apiserver hands status writes of
// clients to the controller, the only writer of current.
const StatusSubject = "controller.status"

// BindSubject is scheduler.bind: the apiserver hands pods/binding to the
// scheduler, the only writer of assigned.
const BindSubject = "scheduler.bind"

// ClaimSubject is scheduler.claim: schedulers beside the default one have their
// placements settled by it.
const ClaimSubject = "scheduler.claim"

// ExplainSubject is scheduler.explain: the apiserver hands on who asks why a pod is
// where it is, or where others would go.
const ExplainSubject = "scheduler.explain"

// JoinSubject is join.<node>: a host with a join token asks for its credentials.
func JoinSubject(node schemas.NodeName) string { return "join." + wild(User(node)) }

// StreamSubject is stream.<user>.<peer>.<id>.<direction>, direction "in" for
// frames from the user to the peer (an agent or the apiserver), "out" for the other.
// The id names the hub that the frames are for.
func StreamSubject(u User, peer, id, direction string) string {
	if peer != "*" {
		peer = Escape(peer, false)
	}
	return streamSubject(wild(u), peer, id, direction)
}

func streamSubject(user, peer, id, direction string) string {
	return "stream." + user + "." + peer + "." + id + "." + direction
}

// StreamBack is the subject of hub id, from which something came on a StreamSubject; "" if
// it is none.
func StreamBack(subject, id string) string {
	p := strings.Split(subject, ".")
	if len(p) != 5 {
		return ""
	}
	direction := "in"
	if p[4] == direction {
		direction = "out"
	}
	return streamSubject(p[1], p[2], id, direction)
}

// StreamReply is a StreamSubject with a number in place of its wildcard: what the server
// says there is about what the hub counts so. Nobody's token begins in this way.
func StreamReply(subject string, number int) string {
	return strings.Replace(subject, "*", "=l"+strconv.Itoa(number), 1)
}

// PeerAPIServer is the apiserver's side of a stream. No node can be named so.
const PeerAPIServer = "_apiserver"

// InboxPrefix is _INBOX.<user>: replies to u, readable by nobody else.
func InboxPrefix(u User) string { return "_INBOX." + u.Token() }

func wild(u User) string {
	if u == "*" {
		return "*"
	}
	return u.Token()
}
