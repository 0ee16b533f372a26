package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// TestAwait: what passes is waited for, as long as the user wants to; nothing else is.
func TestAwait(t *testing.T) {
	creating := apierrors.NewBadRequest("ContainerCreating")
	nowhere := fmt.Errorf("pod web is %w", errNoNode)
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		errs   []error // of the tries, the first one's before the waiting; the last one stays
		passes func(error) bool
		want   error
		took   time.Duration
		said   string
	}{
		"it starts":        {errs: []error{nowhere, creating, creating, nil}, passes: early, took: 3 * between, said: "pod web is not on a node yet\nContainerCreating\n"},
		"it never does":    {errs: []error{creating}, passes: early, want: creating, took: 5*between + between/2, said: "ContainerCreating\n"},
		"another error":    {errs: []error{broken}, passes: early, want: broken},
		"an error later":   {errs: []error{creating, broken}, passes: early, want: broken, took: between, said: "ContainerCreating\n"},
		"pods are made":    {errs: []error{fmt.Errorf("web has %w", target.ErrNoPods), nil}, passes: noPods, took: between, said: "web has no pods\n"},
		"there is no such": {errs: []error{creating}, passes: noPods, want: creating},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				s := &session.Session{Env: session.Env{Stderr: &said}}
				begun, n := time.Now(), 0
				command := &Command{Timeout: 5*between + between/2}
				err := command.await(context.Background(), s, c.errs[0], c.passes, func() error {
					n++
					return c.errs[min(n, len(c.errs)-1)]
				})
				if !errors.Is(err, c.want) || said.String() != c.said {
					t.Errorf("%v, and it said %q", err, said.String())
				}
				if took := time.Since(begun); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}

// TestOptions: what kubectl refuses is refused, before anything is asked for.
func TestOptions(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	for name, c := range map[string]struct {
		c    Command
		want string
	}{
		"tail":    {Command{Tail: n(-2)}, "--tail must be greater than or equal to -1"},
		"limit":   {Command{LimitBytes: -1}, "--limit-bytes must be greater than 0"},
		"since":   {Command{Since: -time.Second}, "--since must be greater than 0"},
		"two":     {Command{Since: time.Second, SinceTime: "2026-01-01T00:00:00Z"}, "at most one of --since-time and --since may be specified"},
		"time":    {Command{SinceTime: "yesterday"}, `--since-time must be a time like 2024-08-30T06:00:00Z: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
		"all of":  {Command{AllContainers: true, Container: "main"}, "--all-containers=true should not be specified with container name main"},
		"allowed": {Command{Tail: n(-1), Since: time.Second, LimitBytes: 1}, ""},
	} {
		_, err := c.c.options()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, c := range []struct {
		c    Command
		want string
	}{
		{Command{}, "all"}, {Command{Selector: "a=b"}, "10"}, {Command{Selector: "a=b", Tail: n(-1)}, "all"}, {Command{Tail: n(0)}, "0"},
	} {
		o, err := c.c.options()
		got := "all"
		if err == nil && o.TailLines != nil {
			got = fmt.Sprint(*o.TailLines)
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: %s lines, %v", c.c, got, err)
		}
	}
}
