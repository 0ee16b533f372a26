//go:build !linux

package space

import (
	"errors"
	"net/netip"
)

// kernel has no namespaces here.
type kernel struct{}

func (kernel) pin(string) error                               { return errors.ErrUnsupported }
func (kernel) unpin(string) error                             { return nil }
func (kernel) alive(string) bool                              { return false }
func (kernel) plug(string, string, Network, netip.Addr) error { return errors.ErrUnsupported }
func (kernel) unplug(string, Network) error                   { return nil }
func (kernel) plugged(Network) ([]string, error)              { return nil, nil }
