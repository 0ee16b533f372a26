//go:build !linux

package podman

import "os"

func hostNetwork(string) (*os.File, error) { return nil, unfit("this is not Linux") }
