//go:build linux

package agent

import (
	"context"
	"path/filepath"

	"github.com/skerry/skerry/services/agent/message"
	"github.com/skerry/skerry/services/agent/podman"
)

// messages is where termination messages are kept: nowhere on a node that is only simulated.
func messages(c Config) *message.Box {
	if c.DataDir == "" {
		return nil
	}
	return message.New(filepath.Join(c.DataDir, "messages"))
}

// logTail implements pod.LogTail.
func (a *agent) logTail(ctx context.Context, id string, lines, limit int) (string, error) {
	var tail []byte
	err := a.driver.Logs(ctx, id, podman.LogOptions{Tail: int64(lines)}, func(p []byte) error {
		tail = append(tail, p...)
		if over := len(tail) - limit; over > 0 {
			tail = append(tail[:0], tail[over:]...)
		}
		return nil
	})
	return string(tail), err
}
