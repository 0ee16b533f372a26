package server

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
)

func authority(t *testing.T) *identity.Authority {
	t.Helper()
	a, err := identity.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAnAddressInUseFailsAtOnce: not after the time that a start may take.
func TestAnAddressInUseFailsAtOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	start := time.Now()
	_, err = Start(context.Background(), Config{DataDir: t.TempDir(), Identity: authority(t).ServerConfig(), Listen: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("started on a taken address: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("said so after %s", took)
	}
}

// TestListens: a client connects over TCP with the credentials of the authority.
func TestListens(t *testing.T) {
	a := authority(t)
	s, err := Start(context.Background(), Config{DataDir: t.TempDir(), Identity: a.ServerConfig(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	creds, err := a.Credentials(identity.RoleAdmin, "admin")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(context.Background(), bus.Options{URL: s.URL(), User: "admin", Creds: creds})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestKeepsItsFilesTidy: half-empty files do not stay: each is in memory whenever a value in it is replaced.
func TestKeepsItsFilesTidy(t *testing.T) {
	o, err := options(Config{DataDir: t.TempDir(), Identity: authority(t).ServerConfig()})
	if err != nil {
		t.Fatal(err)
	}
	if o.SyncInterval <= 0 || o.SyncInterval > 15*time.Second || !o.SyncAlways {
		t.Errorf("the server looks after its files every %s, and syncs always: %v", o.SyncInterval, o.SyncAlways)
	}
}
