//go:build !linux

package forward

import (
	"context"
	"net"
)

func dialInside(context.Context, int, string) (net.Conn, error) { return nil, errOutside }
