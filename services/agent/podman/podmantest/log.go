//go:build linux

package podmantest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent/podman"
)

// AwaitLog waits until the container has said word: a shell that has just started
// has not set its traps yet, and a signal before that is lost on it.
func AwaitLog(t testing.TB, d *podman.Driver, id, word string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var said strings.Builder
	enough := errors.New("enough")
	err := d.Logs(ctx, id, podman.LogOptions{Follow: true, Tail: -1}, func(p []byte) error {
		said.Write(p)
		if strings.Contains(said.String(), word) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("container %s did not say %q but %q: %v", id, word, said.String(), err)
	}
}
