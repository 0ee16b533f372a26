package e2e

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestAgentLost: a session whose agent is killed ends soon, with the exit code of what
// cannot be reached, and the next one works.
func TestAgentLost(t *testing.T) {
	ns := namespace(t)
	skerry(t, deployment("web", "v1", 1), "apply", "-n", ns, "-f", "-", "--wait")
	pod := waitReady(t, ns, "web", 1)[0]
	host := hostOf(t, pod)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := rig.Command(ctx, "port-forward", "-n", ns, pod.Name, ":8080")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if l, err := bufio.NewReader(pipe).ReadString('\n'); !strings.HasPrefix(l, "Forwarding from ") {
		t.Fatalf("it said %q, %v", l, err)
	}
	if err := hosts.Kill(host.Name + "-agent"); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if serr := host.StartAgent(); serr != nil {
		t.Fatal(serr)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(said.String(), "lost connection to pod") {
		t.Errorf("it ended with %v and said %q", err, said.String())
	}
	eventually(t, "a session with the new agent", func() error {
		_, err := trySkerry(t, "", "logs", "-n", ns, pod.Name)
		return err
	})
}
