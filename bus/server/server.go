// Package server runs the embedded NATS server of `skerry up`.
//
// It writes JetStream's files under its data directory. What always holds: it
// fsyncs before it acknowledges (sync_interval: always), and only holders of the
// authority's credentials can connect.
package server

import (
	"context"
	"log/slog"
	"net"

	"github.com/skerry/skerry/bus/identity"
)

// Config is where the server keeps its data and listens.
type Config struct {
	DataDir string
	// Listen is "host:port"; "" for in-process connections only; port 0 picks one.
	Listen   string
	Identity identity.ServerConfig
	TLSCert  string // files; both or none
	TLSKey   string
	Log      *slog.Logger
}

// Server is a running server.
type Server struct{}

// Start starts a server and returns when it accepts connections (some 10 ms).
func Start(ctx context.Context, c Config) (*Server, error) { panic("skeleton") }

// InProcessConn connects within the process.
func (s *Server) InProcessConn() (net.Conn, error) { panic("skeleton") }

// URL is what clients on this machine connect to; "" without a listener.
func (s *Server) URL() string { panic("skeleton") }

// Stop shuts down and waits.
func (s *Server) Stop() { panic("skeleton") }
