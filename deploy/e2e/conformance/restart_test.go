package conformance

import (
	"io"
	"net/http"
	"os"
	"testing"
)

// restart asks whoever started these tests to kill a service and start it again.
func restart(t *testing.T, service string) {
	t.Helper()
	url := os.Getenv("RESTART_URL")
	if url == "" {
		return
	}
	resp, err := http.Post(url+"/"+service, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("restart: %s %s", resp.Status, b)
	}
}
