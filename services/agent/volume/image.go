package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
)

// Images shows the files of images that are in the runtime's store.
type Images interface {
	// MountImage returns the directory of an image's files, the same each time. The image
	// cannot be removed until it is released.
	MountImage(ctx context.Context, uid types.UID, volume, image string) (string, error)
	ReleaseImage(ctx context.Context, uid types.UID, volume string) error
}

// releaseTime bounds how long a runtime may take to release an image.
const releaseTime = 10 * time.Second

// image mounts an image. The volume's own directory stays empty: it tells the next agent
// that there is something to release.
func (m *Manager) image(ctx context.Context, s *state, uid types.UID, name, reference string) error {
	if m.Images == nil {
		return errors.New("this node has no images to mount")
	}
	if err := os.MkdirAll(m.path(uid, kindImage, name), 0o711); err != nil {
		return err
	}
	path, err := m.Images.MountImage(ctx, uid, name, reference)
	if err != nil {
		return err
	}
	s.images[name] = path
	return nil
}

// releaseImages releases the images of a pod.
func (m *Manager) releaseImages(uid types.UID) error {
	dir := filepath.Dir(m.path(uid, kindImage, "any"))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || m.Images == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	var errs []error
	for _, e := range entries {
		errs = append(errs, m.Images.ReleaseImage(ctx, uid, e.Name()))
	}
	return errors.Join(errs...)
}

// within opens path in the image at dir for use as a name only. Its symlinks mean what they mean in a
// container of the image: / is dir, and nothing leads out of it.
func within(dir *os.File, path string) (*os.File, error) {
	f, err := open2(dir, path, unix.O_PATH|unix.O_CLOEXEC, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("open %q: %w", path, errOutside)
	}
	return f, err
}
