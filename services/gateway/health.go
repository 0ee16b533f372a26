package gateway

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"

	"k8s.io/apimachinery/pkg/version"
)

// kubernetesMinor is the version of Kubernetes whose API this is; clients compare it
// with their own.
const kubernetesMinor = "37"

// health answers /healthz, /livez and /readyz. The gateway lives as long as it answers;
// it is ready while it has the bus.
func (x *exchange) health() error {
	what, check, _ := strings.Cut(x.route.Path, "/")
	checks := []string{"ping"}
	if what != "livez" {
		checks = append(checks, "bus")
	}
	var b strings.Builder
	code, found := http.StatusOK, check == ""
	for _, c := range checks {
		if check != "" && check != c {
			continue
		}
		found = true
		if c == "bus" && !x.s.conn.Connected() {
			code = http.StatusInternalServerError
			fmt.Fprintf(&b, "[-]%s failed: not connected\n", c)
			continue
		}
		fmt.Fprintf(&b, "[+]%s ok\n", c)
	}
	if !found {
		return notFound()
	}
	_, verbose := x.r.URL.Query()["verbose"]
	body := "ok"
	switch {
	case code != http.StatusOK:
		body = b.String() + what + " check failed\n"
	case verbose:
		body = b.String() + what + " check passed\n"
	}
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	x.send(code, []byte(body))
	return nil
}

func (x *exchange) version() error {
	return x.reply(http.StatusOK, version.Info{
		Major: "1", Minor: kubernetesMinor, GitVersion: "v1." + kubernetesMinor + ".2+skerry-" + clean(x.s.Version),
		GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	})
}

// clean makes v fit into a semantic version's build part.
func clean(v string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.TrimPrefix(v, "v"))
}
