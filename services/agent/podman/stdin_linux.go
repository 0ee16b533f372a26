package podman

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// openStdin opens the input of a container's process for writing: a pipe whose other
// end its monitor has. A pipe that is not shared with the monitor, such as one that the
// process has put in its place, is refused, and so is anything else.
func openStdin(pid, monitor int) (io.WriteCloser, error) {
	path := fmt.Sprintf("/proc/%d/fd/0", pid)
	pipe, err := os.Readlink(path)
	if err != nil {
		return nil, fmt.Errorf("find input: %w", err)
	}
	ends, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", monitor))
	if err != nil {
		return nil, fmt.Errorf("find input: %w", err)
	}
	shared := false
	for _, e := range ends {
		to, err := os.Readlink(e)
		shared = shared || err == nil && to == pipe && strings.HasPrefix(to, "pipe:")
	}
	if !shared {
		return nil, fmt.Errorf("open input: %s is not the monitor's pipe", pipe)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open input: %w", err)
	}
	return f, nil
}
