//go:build !linux

package podman

import (
	"errors"
	"io"
)

func openStdin(int, int) (io.WriteCloser, error) {
	return nil, errors.New("open input: this is not Linux")
}
