package pod

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// container is one item of a list of containers; more is further lines of it.
func container(name, sh, more string) string {
	return fmt.Sprintf("  - {name: %s, image: %s, imagePullPolicy: Never, command: [/bin/sh, -c, %q]%s}\n", name, podmantest.Image, sh, more)
}

// inits is a spec's list of init containers.
func inits(containers ...string) string { return "  initContainers:\n" + strings.Join(containers, "") }

// column is the pod's STATUS as `get` prints it.
func column(t *testing.T, ns, name string) string {
	t.Helper()
	return strings.Fields(rig.Skerry(t, "", "get", "pod", "-n", ns, name, "--no-headers"))[2]
}

// events waits until the events about a pod say what is wanted.
func events(t *testing.T, ns, name string, want ...string) {
	t.Helper()
	rig.Eventually(t, "events of "+name, func() error {
		out := rig.Skerry(t, "", "describe", "pod", "-n", ns, name)
		for _, w := range want {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), w) {
				return fmt.Errorf("no %q in\n%s", w, out)
			}
		}
		return nil
	})
}

const block = "until [ -e /go ]; do sleep 0.05; done"

func TestInitContainersRunInOrder(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("ordered", "echo main; sleep 1000", inits(container("one", "echo one; "+block, ""), container("two", "echo two", "")), ""))
	p := await(t, ns, "ordered", "the first init container runs", func(p *v1.Pod) bool {
		return len(p.Status.InitContainerStatuses) == 2 && p.Status.InitContainerStatuses[0].State.Running != nil
	})
	if w := p.Status.InitContainerStatuses[1].State.Waiting; w == nil || w.Reason != "PodInitializing" {
		t.Errorf("the second: %+v", p.Status.InitContainerStatuses[1])
	}
	if w := p.Status.ContainerStatuses[0].State.Waiting; w == nil || w.Reason != "PodInitializing" {
		t.Errorf("the main one: %+v", p.Status.ContainerStatuses[0])
	}
	conditions(t, p, "Initialized=False ContainersNotInitialized, ContainersReady=False ContainersNotReady, PodReadyToStartContainers=True ")
	if got := column(t, ns, "ordered"); got != "Init:0/2" {
		t.Errorf("STATUS is %s", got)
	}
	rig.Skerry(t, "", "exec", "-n", ns, "ordered", "-c", "one", "--", "sh", "-c", ": > /go")
	p = running(t, ns, "ordered")
	for _, c := range p.Status.InitContainerStatuses {
		if end := c.State.Terminated; end == nil || end.Reason != "Completed" || !c.Ready {
			t.Errorf("%+v", c)
		}
	}
	conditions(t, p, "Initialized=True , ContainersReady=True ")
	if out := logs(t, ns, "ordered", "-c", "two"); out != "two\n" {
		t.Errorf("logs of an init container: %q", out)
	}
}

// conditions compares some of a pod's conditions: "Type=Status Reason, ...".
func conditions(t *testing.T, p *v1.Pod, want string) {
	t.Helper()
	for _, w := range strings.Split(want, ", ") {
		found := false
		for _, c := range p.Status.Conditions {
			found = found || fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason) == w
		}
		if !found {
			t.Errorf("no condition %q in %+v", w, p.Status.Conditions)
		}
	}
}

func TestInitContainerThatFails(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("never", "true", "  restartPolicy: Never\n"+inits(container("bad", "exit 7", "")), ""))
	apply(t, ns, script("again", "true", inits(container("bad", "exit 7", "")), ""))
	p := ended(t, ns, "never")
	if p.Status.Phase != v1.PodFailed || p.Status.InitContainerStatuses[0].State.Terminated.ExitCode != 7 {
		t.Errorf("%+v", p.Status)
	}
	conditions(t, p, "Initialized=False ContainersNotInitialized, Ready=False PodFailed")
	if got := column(t, ns, "never"); got != "Init:Error" {
		t.Errorf("STATUS is %s", got)
	}
	p = await(t, ns, "again", "held back", func(p *v1.Pod) bool {
		return len(p.Status.InitContainerStatuses) == 1 && p.Status.InitContainerStatuses[0].State.Waiting != nil &&
			p.Status.InitContainerStatuses[0].State.Waiting.Reason == "CrashLoopBackOff"
	})
	if p.Status.Phase != v1.PodPending || p.Status.InitContainerStatuses[0].RestartCount != 1 {
		t.Errorf("%+v", p.Status)
	}
	if got := column(t, ns, "again"); got != "Init:CrashLoopBackOff" {
		t.Errorf("STATUS is %s", got)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("late", "sleep 1000", "  activeDeadlineSeconds: 2", ""))
	p := ended(t, ns, "late")
	if p.Status.Phase != v1.PodFailed || p.Status.Reason != "DeadlineExceeded" || p.Status.ContainerStatuses[0].State.Terminated == nil {
		t.Errorf("%+v", p.Status)
	}
	events(t, ns, "late", "Normal DeadlineExceeded")
}

func TestEphemeralContainer(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("looked-at", "sleep 1000 & wait", "", ""))
	running(t, ns, "looked-at")
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(ns), Name: "looked-at"}
	patch := fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":"debug","image":%q,"imagePullPolicy":"Never","targetContainerName":"main",
		"command":["/bin/sh","-c","cat /proc/1/cmdline | tr '\\0' ' '; exit 5"]}]}}`, podmantest.Image)
	if _, err := rig.Client.Patch(t.Context(), ref, types.StrategicMergePatchType, []byte(patch), "ephemeralcontainers"); err != nil {
		t.Fatal(err)
	}
	p := await(t, ns, "looked-at", "the ephemeral container ends", func(p *v1.Pod) bool {
		return len(p.Status.EphemeralContainerStatuses) == 1 && p.Status.EphemeralContainerStatuses[0].State.Terminated != nil
	})
	if end := p.Status.EphemeralContainerStatuses[0]; end.State.Terminated.ExitCode != 5 || end.RestartCount != 0 || p.Status.Phase != v1.PodRunning {
		t.Errorf("%+v", p.Status)
	}
	if out := logs(t, ns, "looked-at", "-c", "debug"); !strings.Contains(out, "sleep 1000") {
		t.Errorf("it sees other processes than its target's: %q", out)
	}
}

func TestReadinessGate(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("gated", "sleep 1000", "  readinessGates: [{conditionType: example.org/open}]", ""))
	await(t, ns, "gated", "containers are ready", func(p *v1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].Ready
	})
	p := readiness(t, ns, "gated", v1.ConditionFalse)
	conditions(t, p, "ContainersReady=True , Ready=False ReadinessGatesNotReady")
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(ns), Name: "gated"}
	for _, open := range []v1.ConditionStatus{v1.ConditionTrue, v1.ConditionFalse, v1.ConditionTrue} {
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"example.org/open","status":%q}]}}`, open)
		if _, err := rig.Client.Patch(t.Context(), ref, types.StrategicMergePatchType, []byte(patch), "status"); err != nil {
			t.Fatal(err)
		}
		readiness(t, ns, "gated", open)
	}
}

func TestTerminationMessages(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	fallback := "    terminationMessagePolicy: FallbackToLogsOnError"
	long := "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; exit 1"
	never := "  restartPolicy: Never"
	for _, m := range []string{
		script("file", "echo bye > /dev/termination-log; exit 1", never, ""),
		script("elsewhere", "echo hello > /tmp/words", never, "    terminationMessagePath: /tmp/words"),
		script("logs", long, never, fallback),
		script("both", "echo log; echo file > /dev/termination-log; exit 1", never, fallback),
		script("well", "echo log", never, fallback),
		script("long", "head -c 9000 /dev/zero | tr '\\0' x > /dev/termination-log", never, ""),
	} {
		apply(t, ns, m)
	}
	message := func(name string) string {
		return ended(t, ns, name).Status.ContainerStatuses[0].State.Terminated.Message
	}
	for name, want := range map[string]string{"file": "bye\n", "elsewhere": "hello\n", "both": "file\n", "well": ""} {
		if got := message(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := message("logs"); !strings.HasPrefix(got, "line 120\n") || !strings.HasSuffix(got, "line 199\n") {
		t.Errorf("logs: %q", got)
	}
	if got := message("long"); len(got) != 4096 {
		t.Errorf("long: %d bytes", len(got))
	}
}

func TestRestartRules(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	rules := func(action string) string {
		return "    restartPolicy: Never\n    restartPolicyRules: [{action: " + action + ", exitCodes: {operator: In, values: [42]}}]"
	}
	apply(t, ns, script("one", "if [ -e /tmp/x ]; then exit 1; fi; exit 42", "  restartPolicy: Never", rules("Restart")))
	apply(t, ns, script("all", "until [ -e /go ]; do sleep 0.05; done; exit 42", "  restartPolicy: Never\n"+inits(container("first", "true", "")), rules("RestartAllContainers")+"\n"+
		container("other", "trap 'exit 0' TERM; while :; do sleep 0.05; done", "")))
	await(t, ns, "one", "restarted by its rule", func(p *v1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	running(t, ns, "all")
	rig.Skerry(t, "", "exec", "-n", ns, "all", "-c", "main", "--", "sh", "-c", ": > /go")
	p := await(t, ns, "all", "all restarted", func(p *v1.Pod) bool {
		for _, c := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
			if c.RestartCount != 1 {
				return false
			}
		}
		return p.Status.ContainerStatuses[0].State.Running != nil && p.Status.ContainerStatuses[1].State.Running != nil
	})
	conditions(t, p, "AllContainersRestarting=False , Initialized=True ")
	if p.Status.Phase != v1.PodRunning {
		t.Errorf("%+v", p.Status)
	}
}

// TestSandboxThatDies: its namespaces are gone, so all begins anew.
func TestSandboxThatDies(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("again", "sleep 1000", inits(container("first", "true", "")), ""))
	before := running(t, ns, "again")
	infra := strings.TrimSpace(onHost(t, "ps", "--quiet", "--filter", "name=^"+ns+"_again_.*-infra$"))
	onHost(t, "kill", "--signal=KILL", infra)
	p := await(t, ns, "again", "runs again", func(p *v1.Pod) bool {
		return p.Status.ContainerStatuses[0].RestartCount == 1 && p.Status.ContainerStatuses[0].State.Running != nil
	})
	if c := p.Status.InitContainerStatuses[0]; c.RestartCount != 1 || c.State.Terminated == nil || c.State.Terminated.ExitCode != 0 {
		t.Errorf("init container: %+v", c)
	}
	if end := p.Status.ContainerStatuses[0].LastTerminationState.Terminated; end == nil || end.ExitCode != 137 {
		t.Errorf("%+v before %+v", p.Status.ContainerStatuses[0], before.Status.ContainerStatuses[0])
	}
	events(t, ns, "again", "Normal SandboxChanged")
}

// onHost runs podman on the host.
func onHost(t *testing.T, args ...string) string {
	t.Helper()
	out, err := rig.Hosts[0].Podman(args...)
	if err != nil {
		t.Fatalf("podman %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}
