package kubectl

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skerry/skerry/deploy/lab/labtest"
)

// TestReach: attach, ports and copies.
func TestReach(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	script := "echo page > /tmp/index.html; httpd -p 8080 -h /tmp; read line; echo got $line; sleep 1000"
	pod := strings.Replace(web("shop", 1, script), "imagePullPolicy", "stdin: true\n        imagePullPolicy", 1)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, pod))
	kubectl(t, "", "-n", ns, "rollout", "status", "deploy/shop", "--timeout=60s")
	forwards(t, ns)
	proxies(t, ns)
	attaches(t, ns)
	copies(t, ns)
}

// forwards gets a page through a forwarded port.
func forwards(t *testing.T, ns string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	cmd := command(ctx, "-n", ns, "port-forward", "deploy/shop", ":8080")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`127.0.0.1:(\d+)`).FindStringSubmatch(line)
	if port == nil {
		t.Fatalf("port-forward said %q", line)
	}
	for range 2 {
		resp, err := http.Get("http://127.0.0.1:" + port[1] + "/index.html")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "page\n" {
			t.Errorf("got %q, %v", b, err)
		}
	}
	cancel()
	_ = cmd.Wait() // killed
}

// proxies gets the page through the API itself, and through kubectl's own proxy to it.
func proxies(t *testing.T, ns string) {
	t.Helper()
	pod := strings.TrimPrefix(strings.TrimSpace(kubectl(t, "", "-n", ns, "get", "pods", "-o", "name")), "pod/")
	at := "/api/v1/namespaces/" + ns + "/pods/" + pod + ":8080/proxy/index.html"
	has(t, ns, "page\n", "get", "--raw", at)
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	cmd := command(ctx, "proxy", "--port=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, host, _ := strings.Cut(strings.TrimSpace(line), "on ")
	resp, err := http.Get("http://" + host + at)
	if err != nil {
		t.Fatalf("%v: kubectl proxy said %q", err, line)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "page\n" {
		t.Errorf("got %q, %v", b, err)
	}
	cancel()
	_ = cmd.Wait() // killed
}

// attaches writes a line to the container's own process.
func attaches(t *testing.T, ns string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	cmd := command(ctx, "-n", ns, "attach", "-i", "deploy/shop")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "got hello\n" {
		t.Errorf("attached, got %q, %v", line, err)
	}
	cancel()
	_ = cmd.Wait() // killed
}

// copies needs tar in the container, as kubectl cp does: the image's busybox has it.
func copies(t *testing.T, ns string) {
	t.Helper()
	pod := strings.TrimPrefix(strings.TrimSpace(kubectl(t, "", "-n", ns, "get", "pods", "-o", "name")), "pod/")
	kubectl(t, "", "-n", ns, "exec", pod, "--", "/bin/busybox", "ln", "-s", "/bin/busybox", "/bin/tar")
	local := filepath.Join(t.TempDir(), "sent")
	if err := os.WriteFile(local, []byte("sent\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, ns, "", "cp", local, pod+":/tmp/sent")
	has(t, ns, "sent\n", "exec", pod, "--", "cat", "/tmp/sent")
	back := filepath.Join(t.TempDir(), "back")
	has(t, ns, "", "cp", pod+":/tmp/index.html", back)
	if b, err := os.ReadFile(back); err != nil || string(b) != "page\n" {
		t.Errorf("copied %q, %v", b, err)
	}
}
