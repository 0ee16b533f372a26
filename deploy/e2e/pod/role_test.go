package pod

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skerry/skerry/bus/identity"
)

// TestRolesReachIntoPods: who has credentials of their own and a role that allows logs
// sees logs and runs no command; NATS and the apiserver refuse the rest.
func TestRolesReachIntoPods(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	authority, err := identity.Load(filepath.Join(rig.Dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	creds, err := authority.Credentials(identity.RoleUser, "bob")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bob.creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	bob := func(args ...string) (string, error) {
		return rig.TrySkerry(t, "", append([]string{"--creds", file, "-n", ns}, args...)...)
	}
	apply(t, ns, script("roled", "echo seen; sleep 1000", "", ""))
	running(t, ns, "roled")
	if out, err := bob("logs", "roled"); err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("without a role: %v\n%s", err, out)
	}
	rig.Skerry(t, "", "create", "-n", ns, "role", "reader", "--verb=get", "--resource=pods,pods/log")
	rig.Skerry(t, "", "create", "-n", ns, "rolebinding", "bob", "--role=reader", "--user=bob")
	if out, err := bob("logs", "roled"); err != nil || out != "seen\n" {
		t.Errorf("with a role: %v\n%s", err, out)
	}
	if out, err := bob("exec", "roled", "--", "id"); err == nil || !strings.Contains(out, `cannot create resource "pods/exec"`) {
		t.Errorf("exec: %v\n%s", err, out)
	}
	if out, err := bob("get", "secrets"); err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("get secrets: %v\n%s", err, out)
	}
}
