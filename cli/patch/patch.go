// Package patch is `skerry patch`: one change of an object, in one of the three forms
// of patches.
//
// It writes through the apiserver, which applies the patch to the object as it is. What
// always holds: the patch is sent as it was given, but for YAML, which becomes JSON.
package patch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry patch`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type/name" help:"The object."`

	manifest.Flags
	Patch       string         `short:"p" help:"The patch, as JSON or YAML." placeholder:"PATCH"`
	PatchFile   string         `help:"A file with the patch; - is stdin." placeholder:"FILE"`
	Type        string         `help:"strategic, merge or json." default:"strategic" enum:"strategic,merge,json" placeholder:"TYPE"`
	Subresource string         `help:"Patch this part of the object: status, scale or resize." placeholder:"NAME"`
	Output      string         `short:"o" help:"Print the object: name, yaml, json, jsonpath=…" placeholder:"FORMAT"`
	DryRun      session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// kinds are the media types of patches.
var kinds = map[string]types.PatchType{
	"strategic": types.StrategicMergePatchType, "merge": types.MergePatchType, "json": types.JSONPatchType,
}

// maxPatch is what an object may have.
const maxPatch = 3 << 20

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	body, err := c.body(s)
	if err != nil {
		return err
	}
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	want, err := c.Named(ctx, s, c.Args)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace()})
	errs := []error{err}
	for _, o := range found {
		errs = append(errs, c.one(ctx, s, client, o, body, format))
	}
	return errors.Join(errs...)
}

func (c *Command) body(s *session.Session) ([]byte, error) {
	text := []byte(c.Patch)
	switch {
	case c.Patch == "" && c.PatchFile == "":
		return nil, failure.Usage("must specify --patch or --patch-file containing the contents of the patch")
	case c.Patch != "" && c.PatchFile != "":
		return nil, failure.Usage("--patch and --patch-file cannot be used together")
	case c.PatchFile != "":
		in := s.Stdin
		if c.PatchFile != "-" {
			f, err := os.Open(s.Path(c.PatchFile))
			if err != nil {
				return nil, fmt.Errorf("unable to read patch file: %w", err)
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		var err error
		if text, err = io.ReadAll(io.LimitReader(in, maxPatch+1)); err != nil {
			return nil, fmt.Errorf("unable to read patch file: %w", err)
		}
	}
	if len(text) > maxPatch {
		return nil, failure.Usage("a patch may have %d bytes", maxPatch)
	}
	body, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, failure.Usage("unable to parse %q: %w", cut(text), err)
	}
	return body, nil
}

// cut shortens a patch for a message.
func cut(b []byte) string { return string(b[:min(len(b), 200)]) }

func (c *Command) one(ctx context.Context, s *session.Session, client *api.Client, o target.Found, body []byte, format output.Format) error {
	after := o
	if c.DryRun != session.DryRunClient {
		reply, err := session.Patch{Ref: o.Ref(), Subresource: c.Subresource, Type: kinds[c.Type], Content: json.RawMessage(body), DryRun: c.DryRun}.Send(ctx, s, client)
		if err != nil {
			return err
		}
		if c.Subresource != "scale" {
			after.Object = o.Kind.New()
			if err := json.Unmarshal(reply.Body, after.Object); err != nil {
				return fmt.Errorf("read reply: %w", err)
			}
		}
	}
	if c.Output != "" {
		return format.Print(s.Stdout, []target.Found{after}, false)
	}
	same := ""
	if c.DryRun == session.DryRunNone && after.Object.GetResourceVersion() == o.Object.GetResourceVersion() && c.Subresource != "scale" {
		same = " (no change)"
	}
	s.Printf("%s patched%s%s\n", o.Label(), same, c.DryRun.Suffix())
	return nil
}
