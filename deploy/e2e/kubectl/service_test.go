package kubectl

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/skerry/skerry/deploy/lab/labtest"
)

// TestService exposes a deployment, looks at what there is then, and reaches its pods
// by the service's name.
func TestService(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, web("shop", 2, "echo page > /tmp/index.html; exec httpd -f -p 8080 -h /tmp")))
	has(t, ns, "service/shop exposed", "expose", "deployment/shop", "--port=80", "--target-port=8080")
	fails(t, ns, 1, `services "shop" already exists`, "expose", "deployment/shop", "--port=80")
	kubectl(t, "", "-n", ns, "rollout", "status", "deploy/shop", "--timeout=60s")
	has(t, ns, "", "wait", "endpointslice", "-l", "kubernetes.io/service-name=shop", "--for=jsonpath={.endpoints[1].conditions.ready}=true", "--timeout=60s")

	cells := regexp.MustCompile(`(?m)^shop +ClusterIP +10\.96\.\d+\.\d+ +<none> +80/TCP +\w+ +app=shop$`)
	if out := kubectl(t, "", "-n", ns, "get", "svc", "-o", "wide"); !cells.MatchString(out) {
		t.Errorf("get svc printed\n%s", out)
	}
	slices := regexp.MustCompile(`(?m)^shop-\w{5} +IPv4 +8080 +10\.244\.\d+\.\d+,10\.244\.\d+\.\d+ `)
	if out := kubectl(t, "", "-n", ns, "get", "svc,endpointslices"); !slices.MatchString(strings.ReplaceAll(out, "endpointslice.discovery.k8s.io/", "")) {
		t.Errorf("get endpointslices printed\n%s", out)
	}
	has(t, ns, ":8080,10.244.", "get", "endpoints", "shop")
	has(t, ns, "Endpoints:                10.244.", "describe", "service", "shop")
	has(t, ns, "shop", "get", "all")

	has(t, ns, "page\n", "get", "--raw", "/api/v1/namespaces/"+ns+"/services/shop:80/proxy/index.html")
	has(t, ns, "page\n", "get", "--raw", "/api/v1/namespaces/"+ns+"/services/http:shop:/proxy/index.html")
	fails(t, ns, 1, "no service port 81 found for service", "get", "--raw", "/api/v1/namespaces/"+ns+"/services/shop:81/proxy/")
	fails(t, ns, 1, "Service shop does not have a service port 81", "port-forward", "svc/shop", ":81")
	throughService(t, ns)

	has(t, ns, "Kubernetes control plane", "cluster-info")
	has(t, ns, "service/outside created", "create", "service", "externalname", "outside", "--external-name=example.com")
	has(t, ns, "service/open created", "create", "service", "nodeport", "open", "--tcp=80:8080")
	has(t, ns, "10.96.0.1", "get", "svc", "kubernetes", "-n", "default")
	has(t, ns, "service/open patched", "patch", "svc", "open", "-p", `{"spec":{"type":"ClusterIP"}}`)
	has(t, ns, "service/shop serverside-applied", "apply", "--server-side", "-f", file(t, "apiVersion: v1\nkind: Service\nmetadata: {name: shop, labels: {a: b}}\n"))
	has(t, ns, `service "shop" deleted`, "delete", "svc", "shop")
	has(t, ns, "", "wait", "--for=delete", "endpointslice", "-l", "kubernetes.io/service-name=shop", "--timeout=60s")
}

// throughService gets the page through a port of the service that is forwarded.
func throughService(t *testing.T, ns string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	cmd := command(ctx, "-n", ns, "port-forward", "svc/shop", ":80")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`127.0.0.1:(\d+) -> 8080`).FindStringSubmatch(line)
	if port == nil {
		t.Fatalf("port-forward said %q", line)
	}
	resp, err := http.Get("http://127.0.0.1:" + port[1] + "/index.html")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "page\n" {
		t.Errorf("got %q, %v", b, err)
	}
}
