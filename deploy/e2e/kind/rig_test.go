package kind

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/outline"
	"github.com/skerry/skerry/services/apiserver"
	"github.com/skerry/skerry/services/controller"
	"github.com/skerry/skerry/services/gateway"
	"github.com/skerry/skerry/services/gateway/certificate"
)

var seals = schema.GroupVersionResource{Group: "sea.example.com", Version: "v1", Resource: "seals"}

// sealSchema is what a seal may say.
const sealSchema = `{"type":"object","description":"A Seal hauls out.","properties":{
	"spec":{"type":"object","properties":{
		"colour":{"type":"string"},"replicas":{"type":"integer","format":"int64"},
		"pups":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],
			"items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"age":{"type":"integer"}}}}}},
	"status":{"type":"object","properties":{"phase":{"type":"string"},"replicas":{"type":"integer","format":"int64"}}}}}`

// seal is the entry of the kind Seal.
func seal(t *testing.T) *schemas.Kind {
	t.Helper()
	var s spec.Schema
	if err := json.Unmarshal([]byte(sealSchema), &s); err != nil {
		t.Fatal(err)
	}
	k, err := outline.Outline{
		Group: seals.Group, Version: seals.Version, Kind: "Seal", Plural: seals.Resource, ShortNames: []string{"sl"}, Categories: []string{"all"},
		Namespaced: true, Status: true, Scale: &schemas.Scale{Replicas: "spec.replicas", Status: "status.replicas"},
		Columns: []outline.Column{
			{Name: "NAME", Path: ".metadata.name"}, {Name: "COLOUR", Path: ".spec.colour"}, {Name: "PHASE", Path: ".status.phase"},
			{Name: "AGE", Path: ".metadata.creationTimestamp", Date: true},
		},
		Selectable: []string{"spec.colour"}, Schema: &s,
	}.Entry()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rig is a cluster without nodes whose apiserver and gateway share a table.
type rig struct {
	ca    *certificate.Authority
	addr  string
	bus   *bustest.Bus
	table *schemas.Table
}

// start starts one; its controller has the table controllers, or the same.
func start(t *testing.T, controllers *schemas.Table) *rig {
	t.Helper()
	ca, err := certificate.Load(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{ca: ca, addr: l.Addr().String(), bus: bustest.Start(t), table: kinds.Table().Clone()}
	if controllers == nil {
		controllers = r.table
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(user bus.User, f func(*bus.Conn) error) {
		conn := r.bus.Inside(t, user)
		running.Go(func() {
			if err := f(conn); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		})
	}
	quiet := slog.New(slog.DiscardHandler)
	run("system:apiserver", func(conn *bus.Conn) error {
		return apiserver.Run(ctx, conn, apiserver.Config{ID: "a", Table: r.table, Log: quiet})
	})
	run("system:controller", func(conn *bus.Conn) error {
		return controller.Run(ctx, conn, controller.Config{ID: "c", Table: controllers, Log: quiet})
	})
	run("system:gateway", func(conn *bus.Conn) error {
		return gateway.Run(ctx, conn, gateway.Config{
			Listener: l, Certificate: ca.Server("127.0.0.1").Certificate, ClientCAs: ca.Pool(), Table: r.table, Version: "v0.0.0", Log: quiet,
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return r
}

// config is how user connects, an administrator if in no other group.
func (r *rig) config(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	cert, key, err := r.ca.Client(user, groups, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &rest.Config{
		Host: "https://" + r.addr, Timeout: time.Minute, QPS: 1000, Burst: 1000,
		TLSClientConfig: rest.TLSClientConfig{CAData: r.ca.PEM(), CertData: cert, KeyData: key},
	}
}

// clients are client-go's.
type clients struct {
	*dynamic.DynamicClient
	discovery *discovery.DiscoveryClient
	metadata  metadata.Interface
}

func (r *rig) clients(t *testing.T, user string, groups ...string) clients {
	t.Helper()
	c := r.config(t, user, groups...)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var out clients
	var err error
	out.DynamicClient, err = dynamic.NewForConfig(c)
	must(err)
	out.discovery, err = discovery.NewDiscoveryClientForConfig(c)
	must(err)
	out.metadata, err = metadata.NewForConfig(c)
	must(err)
	return out
}
