package docs

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/schemas"
)

// template is a role's permissions as they stand in the account that NATS enforces.
type template struct {
	Role     string
	Template struct {
		Pub, Sub struct{ Allow []string }
	}
}

// templates reads them out of a fresh authority's account.
func templates(t *testing.T) map[string]template {
	t.Helper()
	a, err := identity.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]template{}
	for _, token := range a.ServerConfig().Accounts {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("account is no JWT: %q", token)
		}
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Nats struct {
				SigningKeys []template `json:"signing_keys"`
			}
		}
		if err := json.Unmarshal(b, &claims); err != nil {
			t.Fatal(err)
		}
		for _, k := range claims.Nats.SigningKeys {
			out[k.Role] = k
		}
	}
	return out
}

var readable = strings.NewReplacer("{{name()}}", "<user>", "{{tag(node)}}", "<node>")

// TestPermissionTable: the architecture's table says what the server enforces.
func TestPermissionTable(t *testing.T) {
	_, rest, _ := strings.Cut(document(t, "docs/architecture.md"), "### Permissions")
	table, _, _ := strings.Cut(rest, "### Subjects")
	told := map[string][]string{}
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			told[strings.TrimSpace(cells[1])] = cells[2:4]
		}
	}
	enforced := templates(t)
	if len(enforced) != len(identity.Roles()) {
		t.Fatalf("found %d roles, want %d", len(enforced), len(identity.Roles()))
	}
	for role, is := range enforced {
		cells := told[role]
		if cells == nil {
			t.Errorf("the table has no row for %s", role)
			continue
		}
		compare(t, role+" may publish", cells[0], is.Template.Pub.Allow)
		compare(t, role+" may subscribe", cells[1], is.Template.Sub.Allow)
	}
}

func compare(t *testing.T, what, cell string, allowed []string) {
	t.Helper()
	var told []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		told = append(told, m[1])
	}
	for _, s := range allowed {
		if !slices.Contains(told, readable.Replace(s)) {
			t.Errorf("%s: the code allows %s, the table does not say so", what, readable.Replace(s))
		}
	}
	for _, s := range told {
		if !slices.ContainsFunc(allowed, func(a string) bool { return readable.Replace(a) == s }) {
			t.Errorf("%s: the table has %s, which the code does not allow", what, s)
		}
	}
}

// TestSubjectsAreThoseOfTheBus: each subject and key that the tables name is what bus makes.
func TestSubjectsAreThoseOfTheBus(t *testing.T) {
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "NAMESPACE", Name: "NAME"}
	made := []string{
		string(bus.DesiredKey(ref)), string(bus.CurrentKey(ref)),
		string(bus.AssignedKey("NODE", "NAMESPACE", "POD")), string(bus.ObservedPodKey("NODE", "NAMESPACE", "POD")), string(bus.ObservedNodeKey("NODE")),
		bus.APISubject("USER", "VERB", schemas.Pods), bus.StatusSubject, bus.BindSubject, bus.JoinSubject("NODE"),
		bus.NodeSubject("NODE", "USER", "VERB"), bus.StreamSubject("USER", "PEER", "ID", "in"), bus.StreamSubject("USER", "PEER", "ID", "out"),
		bus.WatchSubject(bus.BucketState, "KEY"), bus.EventSubject("NAMESPACE", "NAME"), bus.AuditSubject("USER", "VERB"), bus.InboxPrefix("USER") + ".>",
	}
	text := document(t, "docs/architecture.md")
	for _, s := range made {
		s = strings.Replace(s, ".pods.NAMESPACE.NAME", ".RESOURCE.NAMESPACE.NAME", 1)
		s = strings.Replace(s, "VERB.pods", "VERB.RESOURCE", 1)
		s = regexp.MustCompile(`\b[A-Z]{2,}\b`).ReplaceAllStringFunc(s, func(w string) string { return "<" + strings.ToLower(w) + ">" })
		s = strings.ReplaceAll(s, "_INBOX.USER", "_INBOX.<user>")
		if !strings.Contains(text, "`"+s+"`") {
			t.Errorf("docs/architecture.md does not name %s", s)
		}
	}
}
