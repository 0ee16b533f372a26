//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	v1 "k8s.io/api/core/v1"
)

// hostPath checks that what a hostPath names is of its type, and makes what it asks to be made.
// The path is the host administrator's: symlinks in it are followed.
func hostPath(s *v1.HostPathVolumeSource) error {
	t := v1.HostPathUnset
	if s.Type != nil {
		t = *s.Type
	}
	info, err := os.Stat(s.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	switch t {
	case v1.HostPathUnset:
		if missing {
			return os.MkdirAll(s.Path, 0o755)
		}
		return nil
	case v1.HostPathDirectoryOrCreate:
		if missing {
			return os.MkdirAll(s.Path, 0o755)
		}
		t = v1.HostPathDirectory
	case v1.HostPathFileOrCreate:
		if missing {
			return makeFile(s.Path)
		}
		t = v1.HostPathFile
	}
	want, ok := described[t]
	switch {
	case !ok:
		return fmt.Errorf("%s is an invalid volume type", t)
	case missing:
		return fmt.Errorf("hostPath %s doesn't exist", s.Path)
	}
	if is := typeOf(info.Mode()); is != t {
		return fmt.Errorf("hostPath type check failed: %s is not a %s, it's a %s", s.Path, want, is)
	}
	return nil
}

func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// described are the types in the words of the kubelet's errors.
var described = map[v1.HostPathType]string{
	v1.HostPathDirectory: "directory", v1.HostPathFile: "file", v1.HostPathSocket: "socket file",
	v1.HostPathCharDev: "character device", v1.HostPathBlockDev: "block device",
}

func typeOf(m fs.FileMode) v1.HostPathType {
	switch {
	case m.IsDir():
		return v1.HostPathDirectory
	case m.IsRegular():
		return v1.HostPathFile
	case m&fs.ModeSocket != 0:
		return v1.HostPathSocket
	case m&fs.ModeCharDevice != 0:
		return v1.HostPathCharDev
	case m&fs.ModeDevice != 0:
		return v1.HostPathBlockDev
	}
	return v1.HostPathType(m.Type().String())
}
