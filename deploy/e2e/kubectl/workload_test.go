package kubectl

import (
	"strings"
	"testing"

	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

func TestRollout(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, web("shop", 1, "sleep 1000")))
	has(t, ns, `deployment "shop" successfully rolled out`, "rollout", "status", "deploy", "shop", "--timeout=60s")
	has(t, ns, "condition met", "wait", "--for=condition=Available", "deploy/shop", "--timeout=60s")
	has(t, ns, "shop   1/1     1            1 ", "get", "deploy")
	fails(t, ns, 1, "error: Expected replicas to be 5, was 1", "scale", "deploy", "shop", "--replicas=2", "--current-replicas=5")
	fails(t, ns, 1, `error: deployments.apps "shop" is not paused`, "rollout", "resume", "deploy", "shop")
	has(t, ns, "deployment.apps/shop scaled", "scale", "deploy", "shop", "--replicas=2")
	has(t, ns, "successfully rolled out", "rollout", "status", "deploy/shop", "--timeout=60s")
	has(t, ns, "deployment.apps/shop paused", "rollout", "pause", "deploy", "shop")
	fails(t, ns, 1, `error: deployments.apps "shop" is already paused`, "rollout", "pause", "deploy", "shop")
	fails(t, ns, 1, `error: deployments.apps "shop" can't restart paused deployment (run rollout resume first)`, "rollout", "restart", "deploy", "shop")
	has(t, ns, "deployment.apps/shop env updated", "set", "env", "deploy/shop", "A=1")
	has(t, ns, "deployment.apps/shop resumed", "rollout", "resume", "deploy", "shop")
	has(t, ns, "successfully rolled out", "rollout", "status", "deploy/shop", "--timeout=60s")
	has(t, ns, "1         <none>\n2         <none>\n", "rollout", "history", "deploy", "shop")
	has(t, ns, "      A:\t1", "rollout", "history", "deploy", "shop", "--revision=2")
	kubectl(t, "", "-n", ns, "rollout", "pause", "deploy", "shop")
	fails(t, ns, 1, "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again", "rollout", "undo", "deploy", "shop")
	kubectl(t, "", "-n", ns, "rollout", "resume", "deploy", "shop")
	fails(t, ns, 1, "error: unable to find specified revision 9 in history", "rollout", "undo", "deploy", "shop", "--to-revision=9")
	has(t, ns, "deployment.apps/shop rolled back", "rollout", "undo", "deploy", "shop", "--to-revision=1")
	fails(t, ns, 1, "error: desired revision (9) is different from the running revision (3)", "rollout", "status", "deploy/shop", "--revision=9")
	has(t, ns, "deployment.apps/shop restarted", "rollout", "restart", "deploy", "shop")
	has(t, ns, "successfully rolled out", "rollout", "status", "deploy/shop", "--timeout=60s")
	has(t, ns, "NewReplicaSet:   shop-", "describe", "deploy", "shop")
	has(t, ns, "Scaled up replica set", "events", "--for", "deploy/shop")
	fails(t, ns, 1, "timed out waiting for the condition", "wait", "--for=condition=Nothing", "deploy/shop", "--timeout=1s")
	cascades(t, ns)
}

// cascades deletes with each way of treating what an object owns.
func cascades(t *testing.T, ns string) {
	t.Helper()
	has(t, ns, `deployment.apps "shop" deleted`, "delete", "deploy", "shop", "--cascade=orphan")
	has(t, ns, "shop-", "get", "rs", "-o", "name")
	has(t, ns, "deleted", "delete", "rs", "--all", "--cascade=foreground", "--timeout=60s")
	has(t, ns, "", "get", "pods", "-o", "name")
	if out := kubectl(t, "", "-n", ns, "get", "pods", "-o", "name"); out != "" {
		t.Errorf("after a deletion in the foreground there are %s", out)
	}
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, web("shop", 1, "sleep 1000")))
	has(t, ns, "deleted", "delete", "deploy", "shop", "--cascade=background", "--timeout=60s")
	has(t, ns, "", "wait", "--for=delete", "pods", "--all", "--timeout=60s")
}

func TestLogsAndExec(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, web("shop", 1, "echo one; echo two; sleep 1000")))
	kubectl(t, "", "-n", ns, "rollout", "status", "deploy/shop", "--timeout=60s")
	rig.Eventually(t, "logs", func() error { return eq(kubectl(t, "", "-n", ns, "logs", "deploy/shop"), "one\ntwo\n") })
	has(t, ns, "two\n", "logs", "deploy/shop", "--tail=1")
	has(t, ns, "] one\n", "logs", "-l", "app=shop", "--prefix")
	follows(t, ns)
	fails(t, ns, 1, "previous terminated container", "logs", "deploy/shop", "-p")
	fails(t, ns, 1, "container none is not valid for pod", "logs", "deploy/shop", "-c", "none")
	for _, env := range []string{"true", "false"} { // WebSocket, SPDY
		cmd := command(t.Context(), "-n", ns, "exec", "-i", "deploy/shop", "--", "sh", "-c", "cat; echo err >&2; exit 7")
		cmd.Env = append(cmd.Env, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS="+env)
		cmd.Stdin = strings.NewReader("from stdin\n")
		if r := run(t, cmd); r.code != 7 || r.out != "from stdin\n" || !strings.Contains(r.err, "err\n") || !strings.Contains(r.err, "exit code 7") {
			t.Errorf("exec, WebSocket %s: %+v", env, r)
		}
	}
	fails(t, ns, 1, "not found", "exec", "none", "--", "true")
}

// follows reads a log until its container ends.
func follows(t *testing.T, ns string) {
	t.Helper()
	const script = "echo one; until test -e /tmp/go; do sleep 0.1; done; echo two"
	kubectl(t, "", "-n", ns, "run", "slow", "--image="+podmantest.Image, "--image-pull-policy=Never", "--restart=Never", "--", "sh", "-c", script)
	kubectl(t, "", "-n", ns, "wait", "--for=condition=Ready", "pod/slow", "--timeout=60s")
	log := follow(t, "-n", ns, "logs", "-f", "slow", "--timestamps")
	log.next(t, "20")
	kubectl(t, "", "-n", ns, "exec", "slow", "--", "touch", "/tmp/go")
	log.next(t, "20")
	if line, more := <-log; more {
		t.Errorf("after the end there was %q", line)
	}
	has(t, ns, "condition met", "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/slow", "--timeout=60s")
	fails(t, ns, 1, "cannot exec into a container in a completed pod; current phase is Succeeded", "exec", "slow", "--", "true")
}

func eq(got, want string) error {
	if got != want {
		return &difference{got, want}
	}
	return nil
}

type difference struct{ got, want string }

func (d *difference) Error() string { return "got " + d.got + ", want " + d.want }

func TestRunAndWait(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	has(t, ns, "pod/once created", "run", "once", "--image="+podmantest.Image, "--image-pull-policy=Never", "--restart=Never", "--", "sh", "-c", "echo done")
	has(t, ns, "condition met", "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/once", "--timeout=60s")
	has(t, ns, "once   0/1     Completed   0 ", "get", "pods")
	has(t, ns, `pod "once" deleted`, "delete", "pod", "once", "--now")
}

// TestNodes changes the only node, and puts it back.
func TestNodes(t *testing.T) {
	has(t, "default", "h1     Ready ", "get", "nodes")
	has(t, "default", "node/h1 cordoned", "cordon", "h1")
	has(t, "default", "Ready,SchedulingDisabled", "get", "nodes")
	has(t, "default", "node/h1 uncordoned", "uncordon", "h1")
	has(t, "default", "node/h1 tainted", "taint", "node", "h1", "k=v:PreferNoSchedule")
	has(t, "default", "k=v:PreferNoSchedule", "describe", "node", "h1")
	ns := rig.Namespace(t)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, web("shop", 1, "sleep 1000")))
	kubectl(t, "", "-n", ns, "rollout", "status", "deploy/shop", "--timeout=60s")
	has(t, ns, "h1     ", "top", "nodes")
	rig.Eventually(t, "top pods", func() error {
		if r := try(t, "", "-n", ns, "top", "pods", "--containers"); !strings.Contains(r.out, "main") {
			return &difference{r.out + r.err, "a line for main"}
		}
		return nil
	})
	fails(t, "default", 1, `node h1 already has k taint(s) with same effect(s) and --overwrite is false`, "taint", "node", "h1", "k=w:PreferNoSchedule")
	drains(t, ns)
}

// drains moves pods away, but neither those that nobody makes again nor those that a budget keeps.
func drains(t *testing.T, ns string) {
	t.Helper()
	has(t, ns, "node/h1 untainted", "taint", "node", "h1", "k-")
	kubectl(t, "", "-n", ns, "run", "alone", "--image="+podmantest.Image, "--image-pull-policy=Never", "--labels=app=alone", "--", "sleep", "1000")
	fails(t, ns, 1, "cannot delete Pods that declare no controller (use --force to override): "+ns+"/alone", "drain", "h1", "--pod-selector=app=alone")
	has(t, ns, "node/h1 drained", "drain", "h1", "--pod-selector=app=alone", "--force", "--grace-period=1", "--timeout=60s")
	kubectl(t, "", "-n", ns, "create", "pdb", "keep", "--selector=app=shop", "--min-available=1")
	rig.Eventually(t, "budget", func() error {
		return eq(kubectl(t, "", "-n", ns, "get", "pdb", "keep", "-o", "jsonpath={.status.currentHealthy}"), "1")
	})
	fails(t, ns, 1, "Cannot evict pod as it would violate the pod's disruption budget.", "drain", "h1", "--pod-selector=app=shop", "--timeout=2s")
	kubectl(t, "", "-n", ns, "delete", "pdb", "keep")
	has(t, ns, "evicted\nnode/h1 drained", "drain", "h1", "--pod-selector=app=shop", "--timeout=60s")
	has(t, ns, "node/h1 uncordoned", "uncordon", "h1")
}
