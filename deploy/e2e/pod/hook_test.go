package pod

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestPostStartHook(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	hook := "    lifecycle: {postStart: {exec: {command: [sh, -c, \"until [ -e /go ]; do sleep 0.05; done; echo hooked > /tmp/hooked\"]}}}"
	apply(t, ns, script("hooked", "sleep 1000", "", hook))
	await(t, ns, "hooked", "created", func(p *v1.Pod) bool { return len(p.Status.ContainerStatuses) == 1 && p.Status.PodIP != "" })
	events(t, ns, "hooked", "Started container main")
	if w := get(t, ns, "hooked").Status.ContainerStatuses[0].State.Waiting; w == nil || w.Reason != "ContainerCreating" {
		t.Errorf("before the hook has returned: %+v", get(t, ns, "hooked").Status)
	}
	sh(t, ns, "hooked", ": > /go")
	running(t, ns, "hooked")
	if out := sh(t, ns, "hooked", "cat /tmp/hooked"); out != "hooked\n" {
		t.Errorf("the hook wrote %q", out)
	}
	apply(t, ns, script("fails", "sleep 1000", "  restartPolicy: Never", "    lifecycle: {postStart: {httpGet: {port: 1}}}"))
	if p := ended(t, ns, "fails"); p.Status.Phase != v1.PodFailed {
		t.Errorf("%+v", p.Status)
	}
	events(t, ns, "fails", "Warning FailedPostStartHook", "PostStartHook failed", "Normal Killing")
}

// An ended hook leaves its mark in the logs of a sidecar, which ends last.
func TestPreStopHookAndTheOrderOfTheEnd(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	listen := "httpd -p %s -h /tmp; trap 'echo ended; exit 0' TERM; while :; do sleep 0.05; done"
	first := container("first", strings.ReplaceAll(listen, "%s", "81"), `, restartPolicy: Always`)
	second := container("second", strings.ReplaceAll(listen, "%s", "82"), `, restartPolicy: Always`)
	main := "trap 'echo term; exit 0' TERM; until [ -e /done ]; do sleep 0.05; done; exit 9"
	apply(t, ns, script("stops", main, "  activeDeadlineSeconds: 3\n"+inits(first, second),
		"    lifecycle: {preStop: {exec: {command: [sh, -c, \"echo pre > /proc/1/fd/1; sleep 0.2\"]}}}"))
	running(t, ns, "stops")
	p := ended(t, ns, "stops")
	if out := logs(t, ns, "stops", "-c", "main"); out != "pre\nterm\n" {
		t.Errorf("the main container saw %q", out)
	}
	end := func(c v1.ContainerStatus) int64 { return c.State.Terminated.FinishedAt.Unix() }
	one, two, work := end(p.Status.InitContainerStatuses[0]), end(p.Status.InitContainerStatuses[1]), end(p.Status.ContainerStatuses[0])
	if work > two || two > one {
		t.Errorf("they ended at: main %d, second %d, first %d", work, two, one)
	}
	for _, c := range []string{"first", "second"} {
		if out := logs(t, ns, "stops", "-c", c); out != "ended\n" {
			t.Errorf("%s said %q", c, out)
		}
	}
}

func TestPreStopHookThatFailsOrTakesTooLong(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("fails", "trap 'exit 0' TERM; while :; do sleep 0.05; done", "  activeDeadlineSeconds: 1", "    lifecycle: {preStop: {exec: {command: [\"false\"]}}}"))
	apply(t, ns, script("slow", "trap 'exit 7' TERM; while :; do sleep 0.05; done", "  activeDeadlineSeconds: 1", "    lifecycle: {preStop: {sleep: {seconds: 1}}}"))
	ended(t, ns, "fails")
	events(t, ns, "fails", "Warning FailedPreStopHook")
	// The hook has used up the whole second: there are two more for the signal.
	if p := ended(t, ns, "slow"); p.Status.ContainerStatuses[0].State.Terminated.ExitCode != 7 {
		t.Errorf("%+v", p.Status)
	}
}

func TestStopSignal(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("signalled", "trap 'exit 5' USR1; while :; do sleep 0.05; done", "  os: {name: linux}\n  activeDeadlineSeconds: 1", "    lifecycle: {stopSignal: SIGUSR1}"))
	p := ended(t, ns, "signalled")
	c := p.Status.ContainerStatuses[0]
	if c.State.Terminated.ExitCode != 5 || c.StopSignal == nil || *c.StopSignal != v1.SIGUSR1 {
		t.Errorf("%+v", c)
	}
}
