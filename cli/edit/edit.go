// Package edit is `skerry edit`: an object in the user's editor.
//
// It writes a temporary file and what the user changed in it. What always holds: what
// was typed is never lost; if the object cannot be stored, the editor opens again with
// the reason, and on giving up the file stays.
package edit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/decode"
)

// Command is `skerry edit`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type/name" help:"The object."`

	manifest.Flags
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	want, err := c.Named(ctx, s, c.Args)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace()})
	if err != nil {
		return err
	}
	for _, o := range found {
		if schemas.IsUntyped(o.Kind.New()) {
			return fmt.Errorf("cannot edit %s: this program was not built with its kind; change it with patch or replace", o.Label())
		}
		e := &editing{s: s, client: client, object: o}
		if err := e.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// editing is one object in the editor.
type editing struct {
	s      *session.Session
	client *api.Client
	object target.Found
}

const intro = `# Edit the object below. Lines beginning with a '#' are ignored, and an empty file
# ends the edit. If it cannot be stored, this file opens again with the reason.
#
`

// run edits until the object is stored, unchanged, or the user gives up.
func (e *editing) run(ctx context.Context) error {
	content, err := output.Content(e.object, false)
	if err != nil {
		return err
	}
	original, err := yaml.Marshal(content)
	if err != nil {
		return fmt.Errorf("render %s: %w", e.object.Label(), err)
	}
	file, err := os.CreateTemp("", "skerry-edit-*.yaml")
	if err != nil {
		return fmt.Errorf("make file to edit: %w", err)
	}
	path := file.Name()
	if err := file.Close(); err != nil {
		return fmt.Errorf("make file to edit: %w", err)
	}
	text, last := original, []byte(nil)
	reason := ""
	for {
		edited, err := e.edit(ctx, path, reason, text)
		if err != nil {
			return err
		}
		switch {
		case len(bytes.TrimSpace(edited)) == 0, bytes.Equal(edited, original):
			fmt.Fprintln(e.s.Stderr, "Edit cancelled, no changes made.")
			return os.Remove(path)
		case bytes.Equal(edited, last):
			// The same text again: the user does not know what to do about it.
			return fmt.Errorf("%s\nEdit cancelled, no valid changes were saved; a copy of yours is in %s", reason, path)
		}
		err = e.store(ctx, original, edited)
		if err == nil {
			e.s.Printf("%s edited\n", e.object.Label())
			return os.Remove(path)
		}
		if code := failure.Code(err); code != failure.CodeUser {
			return fmt.Errorf("%w; a copy of your changes is in %s", err, path)
		}
		reason, text, last = failure.Message(err), edited, edited
	}
}

// edit writes the file, runs the editor and returns what is in the file then, without comments.
func (e *editing) edit(ctx context.Context, path, reason string, text []byte) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(intro)
	for line := range strings.Lines(reason) {
		b.WriteString("# " + strings.TrimRight(line, "\n") + "\n")
	}
	b.Write(text)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("write file to edit: %w", err)
	}
	words := editor(e.s, runtime.GOOS, path)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.s.Stdin, e.s.Stdout, e.s.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run editor (EDITOR chooses another): %w; the file is %s", err, path)
	}
	edited, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read edited file: %w", err)
	}
	return withoutComments(edited), nil
}

// editor is the command that edits path on a system: the variable may hold arguments, as in
// "code --wait", so a shell reads it where there is one.
func editor(s *session.Session, system, path string) []string {
	command, windows := "vi", system == "windows"
	if windows {
		command = "notepad"
	}
	for _, name := range []string{"KUBE_EDITOR", "VISUAL", "EDITOR"} {
		if v := strings.TrimSpace(s.Getenv(name)); v != "" {
			command = v
			break
		}
	}
	if windows {
		return append(strings.Fields(command), path)
	}
	return []string{"sh", "-c", command + ` "$1"`, "sh", path}
}

// withoutComments drops the comments at the top; those further down may be data.
func withoutComments(b []byte) []byte {
	for bytes.HasPrefix(b, []byte("#")) {
		_, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
	}
	return b
}

// store sends the difference as a patch of the version that the user saw. If somebody
// else has written meanwhile, what the user changed is carried over to the new
// version, unless both changed the same.
func (e *editing) store(ctx context.Context, original, edited []byte) error {
	docs, err := decode.Manifests(e.s.Table, "edited", edited)
	if err != nil {
		return err
	}
	if len(docs) != 1 {
		return errors.New("the file must hold exactly one object")
	}
	before, err := yaml.YAMLToJSON(original)
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(e.object.Kind.New())
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatchUsingLookupPatchMeta(before, docs[0].Raw, meta)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	err = e.send(ctx, patch, e.object.Object.GetResourceVersion())
	for tries := 0; apierrors.IsConflict(err) && tries < maxTries; tries++ {
		err = e.carryOver(ctx, before, docs[0].Raw, meta)
	}
	return err
}

// maxTries is how often changes are carried over to a newer version.
const maxTries = 5

// carryOver makes the user's changes of before on the version that is stored now.
func (e *editing) carryOver(ctx context.Context, before, edited []byte, meta strategicpatch.LookupPatchMeta) error {
	now, err := e.client.Get(ctx, e.object.Ref())
	if err != nil {
		return err
	}
	content, err := output.Content(target.Found{Kind: e.object.Kind, Object: now}, false)
	if err != nil {
		return err
	}
	current, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	// The version differs in any case; it is not something that the user changed.
	edited, err = atVersion(edited, now.GetResourceVersion())
	if err != nil {
		return err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(before, edited, current, meta, false)
	if mergepatch.IsConflict(err) {
		return fmt.Errorf("somebody else has changed the same fields meanwhile; run `skerry edit %s` again to see theirs: %w", e.object.Label(), err)
	}
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return e.send(ctx, patch, now.GetResourceVersion())
}

func (e *editing) send(ctx context.Context, patch []byte, version string) error {
	patch, err := atVersion(patch, version)
	if err != nil {
		return err
	}
	_, err = session.Patch{Ref: e.object.Ref(), Type: types.StrategicMergePatchType, Content: json.RawMessage(patch), Strict: true}.Send(ctx, e.s, e.client)
	return err
}

// atVersion sets an object's or patch's resourceVersion.
func atVersion(patch []byte, version string) ([]byte, error) {
	var m map[string]any
	if err := json.Unmarshal(patch, &m); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	meta, ok := m["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		m["metadata"] = meta
	}
	meta["resourceVersion"] = version
	return json.Marshal(m)
}
