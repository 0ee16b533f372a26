package pod

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

// sh runs a shell line in the pod's first container.
func sh(t *testing.T, ns, name, line string) string {
	t.Helper()
	return exec(t, ns, name, "sh", "-c", line)
}

// readiness waits until the pod's condition Ready is want.
func readiness(t *testing.T, ns, name string, want v1.ConditionStatus) *v1.Pod {
	t.Helper()
	return await(t, ns, name, "Ready is "+string(want), func(p *v1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodReady {
				return c.Status == want && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Running != nil
			}
		}
		return false
	})
}

const serve = "echo hello > /tmp/index.html; httpd -p 8080 -h /tmp; sleep 1000"

func TestReadinessProbes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, handler := range map[string]string{
		"exec": `exec: {command: [sh, -c, "[ -e /tmp/index.html ]"]}`,
		"http": `httpGet: {path: /index.html, port: web, httpHeaders: [{name: X-Who, value: me}]}`,
	} {
		apply(t, ns, script(name, serve, "", fmt.Sprintf(`    ports: [{name: web, containerPort: 8080}]
    readinessProbe:
      periodSeconds: 1
      failureThreshold: 1
      %s`, handler)))
	}
	for _, name := range []string{"exec", "http"} {
		p := readiness(t, ns, name, v1.ConditionTrue)
		if !p.Status.ContainerStatuses[0].Ready || p.Status.ContainerStatuses[0].Started == nil || !*p.Status.ContainerStatuses[0].Started {
			t.Errorf("%s: %+v", name, p.Status.ContainerStatuses[0])
		}
		sh(t, ns, name, "rm /tmp/index.html")
		p = readiness(t, ns, name, v1.ConditionFalse)
		if p.Status.Phase != v1.PodRunning || p.Status.ContainerStatuses[0].RestartCount != 0 {
			t.Errorf("%s: %+v", name, p.Status)
		}
		conditions(t, p, "ContainersReady=False ContainersNotReady")
		events(t, ns, name, "Warning Unhealthy")
	}
	if out := rig.Skerry(t, "", "describe", "pod", "-n", ns, "http"); !strings.Contains(out, "Readiness probe failed: HTTP probe failed with statuscode: 404") {
		t.Errorf("events:\n%s", out)
	}
}

func TestLivenessProbeRestartsTheContainer(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("live", serve, "", `    livenessProbe:
      periodSeconds: 1
      failureThreshold: 1
      initialDelaySeconds: 2
      terminationGracePeriodSeconds: 1
      tcpSocket: {port: 8080}`))
	running(t, ns, "live")
	sh(t, ns, "live", "kill $(cat /proc/[0-9]*/stat | while read pid name rest; do [ $name = '(httpd)' ] && echo $pid; done)")
	p := await(t, ns, "live", "restarted", func(p *v1.Pod) bool {
		c := p.Status.ContainerStatuses[0]
		return c.RestartCount == 1 && c.State.Running != nil
	})
	if end := p.Status.ContainerStatuses[0].LastTerminationState.Terminated; end == nil || end.ExitCode != 137 || end.Reason != "Error" {
		t.Errorf("%+v", p.Status.ContainerStatuses[0])
	}
	events(t, ns, "live", "Liveness probe failed: dial tcp", "Container main failed liveness probe, will be restarted")
}

// TestGraceOfProbes: what a probe kills has the grace that the probe says, not the pod's; and
// events name the container that they are about.
func TestGraceOfProbes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, probe := range map[string]string{
		"liveness": `livenessProbe: {periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 2, exec: {command: [sh, -c, "! [ -e /bad ]"]}}`,
		"startup":  `startupProbe: {periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 2, terminationGracePeriodSeconds: 2, exec: {command: ["false"]}}`,
	} {
		// It takes no notice of SIGTERM; the pod's own grace outlasts any test.
		m := script(name, "trap : TERM; : > /bad; while :; do sleep 0.1; done", inits(container("before", "true", "")), "    "+probe)
		apply(t, ns, strings.Replace(m, "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 3600\n", 1))
	}
	defer rig.Skerry(t, "", "delete", "pods", "-n", ns, "liveness", "startup", "--grace-period=1")
	for _, name := range []string{"liveness", "startup"} {
		p := await(t, ns, name, "restarted", func(p *v1.Pod) bool {
			return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount >= 1
		})
		if end := p.Status.ContainerStatuses[0].LastTerminationState.Terminated; end == nil || end.ExitCode != 137 {
			t.Errorf("%s: %+v", name, p.Status.ContainerStatuses[0])
		}
	}
	out := rig.Skerry(t, "", "get", "events", "-n", ns, "-o", "wide")
	for line := range strings.Lines(out) {
		want := "spec.containers{main}"
		if strings.Contains(line, "container before") || strings.Contains(line, "container: before") {
			want = "spec.initContainers{before}"
		}
		for _, reason := range []string{"Created", "Started", "Unhealthy", "Killing"} {
			if strings.Contains(line, " "+reason+" ") && !strings.Contains(line, want) {
				t.Errorf("want %s in %s", want, line)
			}
		}
	}
	if !strings.Contains(out, "spec.initContainers{before}") || !strings.Contains(out, "Killing") {
		t.Errorf("events are\n%s", out)
	}
}

func TestStartupProbe(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	probes := `    startupProbe: {periodSeconds: 1, failureThreshold: 60, exec: {command: [sh, -c, "[ -e /go ]"]}}
    livenessProbe: {periodSeconds: 1, failureThreshold: 1, exec: {command: [sh, -c, "[ -e /go ]"]}}`
	apply(t, ns, script("slow", "sleep 1000", "", probes))
	p := await(t, ns, "slow", "runs", func(p *v1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Running != nil
	})
	if c := p.Status.ContainerStatuses[0]; c.Ready || c.Started == nil || *c.Started {
		t.Errorf("%+v", c)
	}
	events(t, ns, "slow", "Startup probe failed")
	sh(t, ns, "slow", ": > /go")
	if p = readiness(t, ns, "slow", v1.ConditionTrue); p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%+v", p.Status)
	}
	apply(t, ns, script("never", "sleep 1000", "  restartPolicy: Never", "    startupProbe: {periodSeconds: 1, failureThreshold: 2, exec: {command: [\"false\"]}}"))
	if p = ended(t, ns, "never"); p.Status.Phase != v1.PodFailed {
		t.Errorf("%+v", p.Status)
	}
	events(t, ns, "never", "Container main failed startup probe")
}

func TestProbeThatHangs(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("hangs", "sleep 1000", "", "    readinessProbe: {periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1, exec: {command: [sh, -c, \"sleep 987\"]}}"))
	readiness(t, ns, "hangs", v1.ConditionFalse)
	events(t, ns, "hangs", "Readiness probe failed: command timed out")
	count := "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o 'sleep 987' | grep -c ."
	rig.Eventually(t, "commands that timed out are killed", func() error {
		if out := sh(t, ns, "hangs", count+"; true"); len(strings.TrimSpace(out)) > 1 {
			return fmt.Errorf("%s are left", out)
		}
		return nil
	})
}

func TestSidecarWithStartupProbe(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("sided", "until [ -e /go ]; do sleep 0.1; done", "  restartPolicy: Never\n"+inits(
		container("side", "trap 'echo ended; exit 0' TERM; while :; do sleep 0.1; done", `, restartPolicy: Always, startupProbe: {periodSeconds: 1, failureThreshold: 60, exec: {command: [sh, -c, "[ -e /go ]"]}}`),
		container("after", "echo after", "")), ""))
	p := await(t, ns, "sided", "the sidecar runs", func(p *v1.Pod) bool {
		return len(p.Status.InitContainerStatuses) == 2 && p.Status.InitContainerStatuses[0].State.Running != nil
	})
	if w := p.Status.InitContainerStatuses[1].State.Waiting; w == nil || p.Status.Phase != v1.PodPending {
		t.Errorf("%+v", p.Status)
	}
	rig.Skerry(t, "", "exec", "-n", ns, "sided", "-c", "side", "--", "sh", "-c", ": > /go")
	running(t, ns, "sided")
	if got := column(t, ns, "sided"); got != "Running" {
		t.Errorf("STATUS is %s", got)
	}
	// It comes again when it ends, though the pod's policy is Never.
	_, _ = rig.TrySkerry(t, "", "exec", "-n", ns, "sided", "-c", "side", "--", "sh", "-c", "kill -TERM 1") // it may be killed with its container
	await(t, ns, "sided", "the sidecar comes again", func(p *v1.Pod) bool {
		return p.Status.InitContainerStatuses[0].RestartCount == 1 && p.Status.InitContainerStatuses[0].State.Running != nil && p.Status.Phase == v1.PodRunning
	})
	sh(t, ns, "sided", ": > /go")
	p = ended(t, ns, "sided")
	if p.Status.Phase != v1.PodSucceeded || p.Status.InitContainerStatuses[0].State.Terminated == nil {
		t.Errorf("%+v", p.Status)
	}
	if out := logs(t, ns, "sided", "-c", "side"); out != "ended\n" {
		t.Errorf("the sidecar was not asked to end: %q", out)
	}
}
