package copy

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseSpec(t *testing.T) {
	for arg, want := range map[string]string{
		"a":            "{  a}",
		"/a/b":         "{  /a/b}",
		"pod:/a":       "{ pod /a}",
		"pod:a:b":      "{ pod a:b}",
		"ns/pod:/a":    "{ns pod /a}",
		"pod:":         "{ pod }",
		`C:\temp\x`:    `{  C:\temp\x}`,
		":/a":          "",
		"/pod:/a":      "",
		"ns/pod/x:/a":  "",
		"ns/:/a":       "",
		"./file":       "{  ./file}",
		"../up/a file": "{  ../up/a file}",
	} {
		got, err := parseSpec(arg)
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
}

// item is an entry of an archive; its type is guessed from the name and link.
type item struct {
	name, content, link string
	kind                byte
}

func archive(t testing.TB, items ...item) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Mode: 0o640, Size: int64(len(i.content)), Typeflag: i.kind, Linkname: i.link}
		if i.kind == tar.TypeDir {
			h.Mode = 0o750
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(i.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func dir(name string) item           { return item{name: name, kind: tar.TypeDir} }
func file(name, content string) item { return item{name: name, content: content, kind: tar.TypeReg} }
func link(name, to string) item      { return item{name: name, link: to, kind: tar.TypeSymlink} }

// tree lists what is below p: "a/ a/b=content".
func tree(t testing.TB, p string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(p, func(f string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(p, f)
		switch {
		case rel == ".":
		case d.IsDir():
			out = append(out, rel+"/")
		case d.Type().IsRegular():
			b, _ := os.ReadFile(f)
			out = append(out, rel+"="+string(b))
		default:
			out = append(out, rel+"?")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func unpack(t testing.TB, b *bytes.Buffer, local string) (warnings string, err error) {
	t.Helper()
	var w strings.Builder
	u := &unpacker{from: "/x", preserve: true, buf: make([]byte, 100), warn: func(f string, a ...any) { fmt.Fprintf(&w, f+"\n", a...) }}
	err = u.unpack(b, local)
	return w.String(), err
}

// TestUnpackIsConfined: whatever an archive says, only the destination is written to.
func TestUnpackIsConfined(t *testing.T) {
	outside := strings.Repeat("../", 20) + "tmp/skerry-escaped"
	for name, c := range map[string]struct {
		items    []item
		want     string
		warned   string
		mustFail bool
	}{
		"a file":           {items: []item{file("x", "1")}, want: "dest=1 keep=k"},
		"a directory":      {items: []item{dir("x/"), dir("x/a/"), file("x/a/f", "1")}, want: "dest/ dest/a/ dest/a/f=1 keep=k"},
		"up":               {items: []item{dir("x/"), file("x/../keep", "1"), file("x/f", "2")}, want: "dest/ dest/f=2 keep=k", warned: "outside target destination"},
		"far up":           {items: []item{dir("x/"), file("x/"+outside, "1")}, want: "dest/ keep=k", warned: "outside target destination"},
		"absolute":         {items: []item{dir("x/"), file("x//etc/f", "1")}, want: "dest/ keep=k", warned: "outside target destination"},
		"another top":      {items: []item{dir("x/"), file("y/f", "1")}, want: "dest/ keep=k", mustFail: true},
		"a longer top":     {items: []item{dir("x/"), file("xy", "1")}, want: "dest/ keep=k", mustFail: true},
		"a link":           {items: []item{dir("x/"), link("x/l", "/etc"), file("x/l/f", "1")}, want: "dest/ dest/l/ dest/l/f=1 keep=k", warned: "skipping symlink"},
		"a link as such":   {items: []item{link("x", "/etc/passwd")}, want: "keep=k", warned: "skipping symlink"},
		"a hard link":      {items: []item{dir("x/"), {name: "x/h", link: "../keep", kind: tar.TypeLink}}, want: "dest/ keep=k", warned: "skipping symlink"},
		"a device":         {items: []item{dir("x/"), {name: "x/d", kind: tar.TypeChar}}, want: "dest/ keep=k", warned: "neither"},
		"nothing":          {want: "keep=k", mustFail: true},
		"the same twice":   {items: []item{file("x", "1"), file("x", "2")}, want: "dest=2 keep=k"},
		"a file, then dir": {items: []item{file("x", "1"), file("x/f", "2")}, want: "dest=1 keep=k", mustFail: true},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			if err := os.WriteFile(filepath.Join(at, "keep"), []byte("k"), 0o600); err != nil {
				t.Fatal(err)
			}
			warnings, err := unpack(t, archive(t, c.items...), filepath.Join(at, "dest"))
			if (err != nil) != c.mustFail || !strings.Contains(warnings, c.warned) || c.warned == "" && warnings != "" {
				t.Errorf("error %v, warnings %q", err, warnings)
			}
			if got := tree(t, at); got != c.want {
				t.Errorf("there is %s, want %s", got, c.want)
			}
		})
	}
	if _, err := os.Lstat("/tmp/skerry-escaped"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it escaped: %v", err)
	}
}

// TestUnpackWritesThroughNoLink: links that are there already lead nowhere either.
func TestUnpackWritesThroughNoLink(t *testing.T) {
	at := t.TempDir()
	other := filepath.Join(at, "other")
	dest := filepath.Join(at, "in", "dest")
	for _, d := range []string{other, dest} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(other, "f"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(filepath.Join(other, "f"), filepath.Join(dest, "f")), os.Symlink(other, filepath.Join(dest, "d"))); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(t, archive(t, dir("x/"), file("x/f", "theirs")), dest); err != nil {
		t.Error(err)
	}
	if _, err := unpack(t, archive(t, dir("x/"), file("x/d/f", "theirs")), dest); err == nil {
		t.Error("a directory that is a link to outside was written into")
	}
	if b, _ := os.ReadFile(filepath.Join(other, "f")); string(b) != "mine" {
		t.Errorf("a file outside became %q", b)
	}
}

// TestCutArchive: half a file is not left behind.
func TestCutArchive(t *testing.T) {
	b := archive(t, file("x", strings.Repeat("y", 5000)))
	b.Truncate(3000)
	at := t.TempDir()
	if _, err := unpack(t, b, filepath.Join(at, "dest")); err == nil {
		t.Error("half an archive was taken for a whole one")
	}
	if got := tree(t, at); got != "" {
		t.Errorf("there is %s", got)
	}
}

// TestPackAndUnpack: what goes out comes back.
func TestPackAndUnpack(t *testing.T) {
	at := t.TempDir()
	from := filepath.Join(at, "from")
	for name, content := range map[string]string{"a": "1", "sub/b": strings.Repeat("z", 200_000), "sub/deep/c": ""} {
		p := filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	k := &packer{to: tar.NewWriter(&b), preserve: true, buf: make([]byte, 1000), warn: t.Errorf}
	if err := errors.Join(k.pack(context.Background(), from, "x"), k.to.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(t, &b, filepath.Join(at, "back")); err != nil {
		t.Fatal(err)
	}
	if got, want := tree(t, filepath.Join(at, "back")), tree(t, from); got != want {
		t.Errorf("%.300s came back of %.300s", got, want)
	}
	if i, err := os.Stat(filepath.Join(at, "back", "a")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
}

func TestProgressLine(t *testing.T) {
	begun := time.Unix(0, 0)
	p := &progress{label: "a → b", total: 2 << 30, begun: begun, bytes: 512 << 20}
	if got := p.line(begun.Add(4 * time.Second)); got != "a → b  512 MiB of 2.0 GiB  25%  128 MiB/s" {
		t.Error(got)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, dir("x/"), file("x/../../a", "1"), link("x/l", "/"), file("x/l/b", "2")).Bytes())
	f.Add(archive(f, file("x", "1")).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		at := t.TempDir()
		_, _ = unpack(t, bytes.NewBuffer(b), filepath.Join(at, "a", "dest"))
		if err := os.Mkdir(filepath.Join(at, "b"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(t, bytes.NewBuffer(b), filepath.Join(at, "b", "dest"))
		entries, _ := os.ReadDir(filepath.Join(at, "b"))
		for _, e := range entries {
			if e.Name() != "dest" {
				t.Errorf("it wrote %s", e.Name())
			}
		}
		if tree(t, at) != "" && strings.Contains(tree(t, at), "?") {
			t.Errorf("it made a link or worse: %s", tree(t, at))
		}
	})
}
