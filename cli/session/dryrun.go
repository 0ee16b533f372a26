package session

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
)

// DryRun is the value of --dry-run.
type DryRun string

// A --dry-run without a value means the client's.
const (
	DryRunNone   DryRun = ""
	DryRunClient DryRun = "client"
	DryRunServer DryRun = "server"
)

// IsBool lets the flag stand without a value.
func (DryRun) IsBool() bool { return true }

// Decode reads the flag.
func (d *DryRun) Decode(ctx *kong.DecodeContext) error {
	v, err := optional(ctx, string(DryRunClient))
	switch v {
	case "none":
		*d = DryRunNone
	case "client", "server":
		*d = DryRun(v)
	default:
		return failure.Usage("--dry-run must be client, server or none, not %q", v)
	}
	return err
}

// Suffix is what success lines end with.
func (d DryRun) Suffix() string {
	switch d {
	case DryRunClient:
		return " (dry run)"
	case DryRunServer:
		return " (server dry run)"
	}
	return ""
}

// Cascade is the value of --cascade.
type Cascade string

// IsBool lets the flag stand without a value.
func (Cascade) IsBool() bool { return true }

// Decode reads the flag; true and false are kubectl's old words.
func (c *Cascade) Decode(ctx *kong.DecodeContext) error {
	v, err := optional(ctx, "background")
	switch v {
	case "true":
		v = "background"
	case "false":
		v = "orphan"
	case "background", "foreground", "orphan":
	default:
		return failure.Usage("--cascade must be background, foreground or orphan, not %q", v)
	}
	*c = Cascade(v)
	return err
}

// optional reads a flag's value if it was given with an equals sign.
func optional(ctx *kong.DecodeContext, missing string) (string, error) {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return missing, nil
	}
	tok, err := ctx.Scan.PopValue("value")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(tok.Value), nil
}

// FieldManager is who the CLI writes as.
const FieldManager = "skerry"

// Ask sends a request whose body is content.
func Ask(ctx context.Context, client *api.Client, r *api.Request, content any) (*api.Reply, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode object: %w", err)
	}
	r.Body = body
	if r.FieldManager == "" {
		r.FieldManager = FieldManager
	}
	return client.Do(ctx, r)
}

// Send is Ask without interest in the answer.
func Send(ctx context.Context, client *api.Client, r *api.Request, content any) error {
	_, err := Ask(ctx, client, r, content)
	return err
}
