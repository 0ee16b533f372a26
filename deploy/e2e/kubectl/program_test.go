package kubectl

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestPrograms runs the tests of the other module: typed, dynamic and metadata clients,
// informers, leader election. It restarts services when they ask for it, so nothing
// else runs beside it.
func TestPrograms(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names, start := []string{"gateway"}, rig.StartGateway
		if r.URL.Path == "/apiserver" {
			names, start = []string{"apiserver", "controller", "scheduler"}, rig.StartControlPlane
		}
		err := rig.Kill(names...)
		if err == nil {
			err = start()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	cmd := inModule("test", "-count=1", "./...")
	cmd.Env = append(cmd.Env, "KUBECONFIG="+rig.Kubeconfig(), "RESTART_URL="+server.URL, "HOME="+home, "GOCACHE="+goEnv(t, "GOCACHE"), "GOPATH="+goEnv(t, "GOPATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// goEnv is where go keeps things: not in the home that the programs see.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		return v
	}
	out, err := inModule("env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
