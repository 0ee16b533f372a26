package action

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// Get does an HTTP request for a hook: any answer will do.
func (d *Doer) Get(ctx context.Context, t Target, a *v1.HTTPGetAction) error {
	req, err := request(ctx, t, a)
	if err != nil {
		return err
	}
	client := http.Client{Transport: d.http1, CheckRedirect: local}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Command runs a hook's command; a code other than 0 is an error.
func (d *Doer) Command(ctx context.Context, t Target, a *v1.ExecAction) error {
	code, output, err := d.exec.Run(ctx, t.ID, a.Command, maxOutput)
	if err == nil && code != 0 {
		err = fmt.Errorf("command %q exited with %d: %s", strings.Join(a.Command, " "), code, output)
	}
	return err
}

// Connect makes a TCP connection for a hook.
func (d *Doer) Connect(ctx context.Context, t Target, a *v1.TCPSocketAction) error {
	if outcome, text := dial(ctx, t, a); outcome != Success {
		return errors.New(text)
	}
	return nil
}
