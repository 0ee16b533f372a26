//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
)

// longestFile is the most bytes of a file that variables are taken from (KEP-3721).
const longestFile = 64 << 10

// ReadFile reads a small file of one of p's volumes, which a container may have written.
func (m *Manager) ReadFile(p *v1.Pod, volume, path string) ([]byte, error) {
	base := m.Path(p, volume)
	if base == "" {
		return nil, fmt.Errorf("volume %q has no files of the pod's own", volume)
	}
	dir, err := os.Open(base)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	// Not to wait for the writer of a pipe.
	f, err := open2(dir, path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("open %q: %w", path, errOutside)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%q is no regular file", path), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	if err == nil && len(data) > longestFile {
		err = fmt.Errorf("%q has more than %d bytes", path, longestFile)
	}
	return data, err
}
