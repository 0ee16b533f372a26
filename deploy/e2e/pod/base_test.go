package pod

import (
	"strings"
	"testing"
)

// TestPodRunsAndIsReached is what all other tests of this package stand on.
func TestPodRunsAndIsReached(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("base", "echo started; sleep 1000", "", ""))
	if p := running(t, ns, "base"); p.Status.PodIP == "" || p.Status.HostIP == "" {
		t.Errorf("no addresses: %+v", p.Status)
	}
	if out := exec(t, ns, "base", "echo", "hello"); out != "hello\n" {
		t.Errorf("exec printed %q", out)
	}
	if out := logs(t, ns, "base"); out != "started\n" {
		t.Errorf("logs are %q", out)
	}
}

func TestUnknownFieldIsRefused(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	if out := refused(t, ns, script("bad", "true", "  restartPolice: Never", "")); !strings.Contains(out, `did you mean "restartPolicy"?`) {
		t.Errorf("said %s", out)
	}
}

func TestPodThatEnds(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("ends", "exit 3", "  restartPolicy: Never", ""))
	if p := ended(t, ns, "ends"); p.Status.ContainerStatuses[0].State.Terminated.ExitCode != 3 {
		t.Errorf("status %+v", p.Status)
	}
}
