//go:build linux

package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/mount"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
)

const node = "n1"

// cluster is a bus, a control plane of sorts, a Podman host, and the agent on it.
type cluster struct {
	t       *testing.T
	bus     *bustest.Bus
	host    *podmantest.Host
	control *control
	admin   *bus.Conn
	dir     string
	config  agent.Config // of the agent, besides what all have
	stop    func()
}

func start(t *testing.T) *cluster { return startWith(t, agent.Config{}) }

func startWith(t *testing.T, config agent.Config) *cluster {
	t.Helper()
	c := &cluster{config: config, t: t, host: podmantest.Start(t), bus: bustest.Start(t).Provisioned(t)}
	c.dir = filepath.Join(c.host.Dir, "agent")
	conn := c.bus.Conn(t, "system:apiserver")
	c.control = &control{state: store.New(conn, bus.BucketState), objects: map[schemas.Ref]schemas.Object{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = api.Serve(ctx, conn, "apiserver", "0.0.0", 16, c.control) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	c.admin = c.bus.Conn(t, "admin")
	c.agent()
	t.Cleanup(func() { c.stop() })
	return c
}

// agent starts an agent's process, so to speak.
func (c *cluster) agent() {
	conn := c.bus.Conn(c.t, bus.NodeUser(node))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	config := c.config
	config.Node, config.Socket, config.DataDir, config.Table, config.Version = node, c.host.Socket, c.dir, kinds.Table(), "test"
	config.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	go func() { done <- agent.Run(ctx, conn, config) }()
	c.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			c.t.Errorf("agent: %v", err)
		}
		c.stop = func() {}
	}
}

// observe waits until ok of what the agent wrote under key; nil is no value.
func (c *cluster) observe(k bus.Key, what string, into any, ok func(there bool) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	last := "nothing"
	for e := range c.control.state.Watch(ctx, nil, string(k)) {
		if e.Progress {
			continue
		}
		if e.Synced {
			if last == "nothing" && ok(false) {
				return
			}
			continue
		}
		last = string(e.Value)
		if !e.Deleted {
			if err := json.Unmarshal(e.Value, into); err != nil {
				c.t.Fatal(err)
			}
		}
		if ok(!e.Deleted) {
			return
		}
	}
	c.t.Fatalf("%s: not in time; last seen: %s", what, last)
}

func (c *cluster) running(p *v1.Pod, restarts int32) v1.PodStatus {
	c.t.Helper()
	var got v1.Pod
	c.observe(key(p), p.Name+" runs", &got, func(there bool) bool {
		cs := got.Status.ContainerStatuses
		return there && got.UID == p.UID && len(cs) == 1 && cs[0].State.Running != nil && cs[0].RestartCount >= restarts
	})
	return got.Status
}

func key(p *v1.Pod) bus.Key {
	return bus.ObservedPodKey(node, schemas.Namespace(p.Namespace), schemas.Name(p.Name))
}

func web(uid types.UID, script string) *v1.Pod {
	grace := int64(1)
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: uid},
		Spec: v1.PodSpec{
			RestartPolicy: v1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			Containers: []v1.Container{{
				Name: "c", Image: podmantest.Image, ImagePullPolicy: v1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", script},
				EnvFrom: []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "cm"}}}},
			}},
		},
	}
}

const script = "echo $WORD one; echo two; trap 'exit 0' TERM; while :; do sleep 0.1; done"

func (c *cluster) configMap() {
	c.control.put(schemas.ConfigMaps, &v1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "cm", Namespace: "default"}, Data: map[string]string{"WORD": "moin"},
	})
}

func TestLifeOfAWorkOrder(t *testing.T) {
	c := start(t)
	c.configMap()
	var n v1.Node
	c.observe(bus.ObservedNodeKey(node), "node is ready", &n, func(there bool) bool {
		return there && len(n.Status.Conditions) == 4 && n.Status.Conditions[3].Status == v1.ConditionTrue
	})
	if n.UID != "node-uid" || n.Status.Capacity.Cpu().IsZero() || n.Status.Capacity.Memory().IsZero() || n.Status.Capacity.Pods().Value() != 110 ||
		!strings.HasPrefix(n.Status.NodeInfo.ContainerRuntimeVersion, "podman://") || n.Status.NodeInfo.KernelVersion == "" || len(n.Status.Images) == 0 {
		t.Errorf("node status = %+v", n.Status)
	}
	p := web("11111111-a", script)
	c.control.assign(t, p)
	st := c.running(p, 0)
	if !strings.HasPrefix(st.PodIP, "10.244.3.") || st.Phase != v1.PodRunning {
		t.Errorf("status = %+v", st)
	}
	t.Run("logs", func(t *testing.T) { c.logs(t) })
	t.Run("exec", func(t *testing.T) { c.exec(t) })

	d := p.DeepCopy()
	grace := int64(5)
	d.DeletionTimestamp, d.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, &grace
	c.control.assign(t, d)
	var got v1.Pod
	c.observe(key(p), "end is reported", &got, func(there bool) bool { return there && got.Status.Phase == v1.PodSucceeded })
	wait(t, "pod is removed", func() bool {
		return !c.control.has(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "web"})
	})
	c.control.unassign(t, p)
	c.observe(key(p), "status is withdrawn", &got, func(there bool) bool { return !there })
	if out := c.host.Podman(t, "ps", "--all", "--quiet", "--filter", "label="+sandbox.LabelUID); out != "" {
		t.Errorf("left behind: %s", out)
	}
}

func (c *cluster) logs(t *testing.T) {
	follow, err := stream.Dial(t.Context(), c.admin, bus.NodeSubject(node, "admin", "logs"), []byte(`{"namespace":"default","name":"web","follow":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for seen := ""; !strings.HasSuffix(seen, "two\n"); {
		f, err := follow.Recv(t.Context())
		if err != nil {
			t.Fatalf("%q, %v", seen, err)
		}
		seen += string(f.Data)
	}
	if err := follow.Close(); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct{ options, want, refused string }{
		{`{"namespace":"default","name":"web"}`, "moin one\ntwo\n", ""},
		{`{"namespace":"default","name":"web","tailLines":1}`, "two\n", ""},
		{`{"namespace":"default","name":"web","limitBytes":6}`, "moin o", ""},
		{`{"namespace":"default","name":"web","previous":true}`, "", "previous terminated container"},
		{`{"namespace":"default","name":"web","container":"x"}`, "", "container x is not valid"},
		{`{"namespace":"default","name":"none"}`, "", "not found"},
	} {
		s, err := stream.Dial(t.Context(), c.admin, bus.NodeSubject(node, "admin", "logs"), []byte(tc.options))
		if tc.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tc.refused) {
				t.Errorf("%s: %v, want %q", tc.options, err, tc.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.options, err)
			continue
		}
		out, err := collect(t, s)
		if got := out[1]; err != nil || got != tc.want {
			t.Errorf("%s: %q, %v, want %q", tc.options, got, err, tc.want)
		}
	}
}

func (c *cluster) exec(t *testing.T) {
	hello := `{"namespace":"default","name":"web","command":["sh","-c","cat; echo err >&2; exit 42"],"stdin":true,"stdout":true,"stderr":true}`
	s, err := stream.Dial(t.Context(), c.admin, bus.NodeSubject(node, "admin", "exec"), []byte(hello))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Send(t.Context(), stream.Frame{Channel: 0, Data: []byte("fed in\n")}), s.CloseSend(nil)); err != nil {
		t.Fatal(err)
	}
	out, err := collect(t, s)
	var st metav1.Status
	if err != nil || out[1] != "fed in\n" || out[2] != "err\n" || json.Unmarshal([]byte(out[3]), &st) != nil {
		t.Fatalf("%q, %v", out, err)
	}
	if st.Reason != "NonZeroExitCode" || len(st.Details.Causes) != 1 || st.Details.Causes[0].Type != "ExitCode" || st.Details.Causes[0].Message != "42" {
		t.Errorf("status %+v", st)
	}
}

func collect(t *testing.T, s *stream.Stream) (map[byte]string, error) {
	t.Helper()
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out := map[byte]string{}
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out[f.Channel] += string(f.Data)
	}
}

// wait polls for what gives no notice.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not in time", what)
		}
	}
}

func TestCutOff(t *testing.T) {
	c := start(t)
	c.configMap()
	p := web("22222222-a", script)
	c.control.assign(t, p)
	before := c.running(p, 0)
	id := strings.TrimPrefix(before.ContainerStatuses[0].ContainerID, "podman://")

	c.bus.Stop()
	c.host.Podman(t, "kill", "--signal=KILL", id)
	wait(t, "restart without the bus, remembered on disk", func() bool {
		kept, err := os.ReadFile(filepath.Join(c.dir, "orders", "default.web.status"))
		return err == nil && strings.Contains(string(kept), `"restartCount":1`)
	})
	// A reboot, still without the bus: every container has ended, a new agent starts.
	c.stop()
	c.host.Podman(t, "pod", "rm", "--all", "--force", "--time=0")
	c.host.Podman(t, "rm", "--all", "--force", "--time=0")
	if err := mount.Unmount(agent.SandboxDir(c.dir)); err != nil {
		t.Fatal(err)
	}
	conn := func() { c.bus.Up(t); c.agent(); c.bus.Stop() }
	conn()
	wait(t, "start without the bus", func() bool {
		return strings.Contains(c.host.Podman(t, "ps", "--format={{.Names}}"), "_c_2")
	})
	if out := c.host.Podman(t, "logs", "default_web_22222222_c_2"); !strings.Contains(out, "moin one") {
		t.Errorf("its ConfigMap was not remembered: %q", out)
	}
	running := c.host.Podman(t, "ps", "--format={{.ID}} {{.Names}}")
	c.bus.Up(t)
	st := c.running(p, 2)
	if st.ContainerStatuses[0].RestartCount != 2 {
		t.Errorf("restarts = %d", st.ContainerStatuses[0].RestartCount)
	}
	if now := c.host.Podman(t, "ps", "--format={{.ID}} {{.Names}}"); now != running {
		t.Errorf("on return:\n%swant\n%s", now, running)
	}
}

func TestPodmanHangsAndDies(t *testing.T) {
	c := start(t)
	var n v1.Node
	ready := func(want v1.ConditionStatus) func(bool) bool {
		return func(there bool) bool {
			return there && len(n.Status.Conditions) == 4 && n.Status.Conditions[3].Status == want
		}
	}
	c.observe(bus.ObservedNodeKey(node), "ready", &n, ready(v1.ConditionTrue))
	if err := c.host.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.observe(bus.ObservedNodeKey(node), "not ready while it hangs", &n, ready(v1.ConditionFalse))
	if err := c.host.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.observe(bus.ObservedNodeKey(node), "ready when it goes on", &n, ready(v1.ConditionTrue))
	if err := c.host.Kill(); err != nil {
		t.Fatal(err)
	}
	c.observe(bus.ObservedNodeKey(node), "not ready", &n, ready(v1.ConditionFalse))
	if err := c.host.Serve(); err != nil {
		t.Fatal(err)
	}
	c.observe(bus.ObservedNodeKey(node), "ready again", &n, ready(v1.ConditionTrue))
}
