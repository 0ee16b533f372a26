//go:build !linux

package forward

import (
	"context"
	"net"
)

func dialInside(context.Context, string, string) (net.Conn, error) { return nil, errOutside }
