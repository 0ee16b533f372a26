package create

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// sources say where the data of a configmap or secret comes from.
type sources struct {
	FromLiteral []string `help:"KEY=VALUE; may be repeated." sep:"none" placeholder:"KEY=VALUE"`
	FromFile    []string `help:"A file, a folder of files, or KEY=FILE; may be repeated." sep:"none" placeholder:"[KEY=]FILE"`
	FromEnvFile []string `help:"A file of lines KEY=VALUE; may be repeated." sep:"none" placeholder:"FILE"`
}

// ConfigMap is `skerry create configmap`.
type ConfigMap struct {
	Options
	sources
	Name string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *ConfigMap) Run(ctx context.Context, s *session.Session) error {
	data, err := c.read(s)
	if err != nil {
		return err
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: c.Name}}
	for k, v := range data {
		if utf8.Valid(v) {
			if cm.Data == nil {
				cm.Data = map[string]string{}
			}
			cm.Data[k] = string(v)
			continue
		}
		if cm.BinaryData == nil {
			cm.BinaryData = map[string][]byte{}
		}
		cm.BinaryData[k] = v
	}
	return c.Object(ctx, s, schemas.ConfigMaps, cm)
}

// Secret is `skerry create secret`.
type Secret struct {
	Generic Generic `cmd:"" help:"A secret from literals and files."`
	TLS     TLS     `cmd:"" name:"tls" help:"A secret of a certificate and its key."`
}

// Generic is `skerry create secret generic`.
type Generic struct {
	Options
	sources
	Name string `arg:"" help:"Its name."`
	Type string `help:"Its type." placeholder:"TYPE"`
}

// Run implements the command.
func (c *Generic) Run(ctx context.Context, s *session.Session) error {
	data, err := c.read(s)
	if err != nil {
		return err
	}
	return c.Object(ctx, s, schemas.Secrets, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Type: corev1.SecretType(c.Type), Data: data,
	})
}

// TLS is `skerry create secret tls`.
type TLS struct {
	Options
	Name string `arg:"" help:"Its name."`
	Cert string `help:"The certificate, a PEM file." required:"" placeholder:"FILE"`
	Key  string `help:"Its key, a PEM file." required:"" placeholder:"FILE"`
}

// Run implements the command.
func (c *TLS) Run(ctx context.Context, s *session.Session) error {
	data := map[string][]byte{}
	for key, path := range map[string]string{corev1.TLSCertKey: c.Cert, corev1.TLSPrivateKeyKey: c.Key} {
		b, err := os.ReadFile(s.Path(path))
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		data[key] = b
	}
	return c.Object(ctx, s, schemas.Secrets, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Type: corev1.SecretTypeTLS, Data: data})
}

func (c *sources) read(s *session.Session) (map[string][]byte, error) {
	data := map[string][]byte{}
	add := func(key string, value []byte) error {
		if msgs := validation.IsConfigMapKey(key); len(msgs) > 0 {
			return fmt.Errorf("%q is not a valid key name: %s", key, strings.Join(msgs, "; "))
		}
		if _, ok := data[key]; ok {
			return fmt.Errorf("cannot add key %q, another key by that name already exists", key)
		}
		data[key] = value
		return nil
	}
	for _, l := range c.FromLiteral {
		key, value, ok := strings.Cut(l, "=")
		if !ok {
			return nil, failure.Usage("invalid literal source %s, expected key=value", l)
		}
		if err := add(key, []byte(strings.Trim(value, `'"`))); err != nil {
			return nil, err
		}
	}
	for _, f := range c.FromFile {
		if err := addFile(s, f, add); err != nil {
			return nil, err
		}
	}
	for _, f := range c.FromEnvFile {
		if err := addEnv(s, f, add); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// addFile adds a file under its name or the key given, or the files of a folder.
func addFile(s *session.Session, source string, add func(string, []byte) error) error {
	key, path, keyed := strings.Cut(source, "=")
	if !keyed {
		key, path = filepath.Base(source), source
	}
	info, err := os.Stat(s.Path(path))
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	if !info.IsDir() {
		b, err := os.ReadFile(s.Path(path))
		if err != nil {
			return fmt.Errorf("read data: %w", err)
		}
		return add(key, b)
	}
	if keyed {
		return failure.Usage("cannot give a key name for a directory path")
	}
	entries, err := os.ReadDir(s.Path(path))
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := addFile(s, filepath.Join(path, e.Name()), add); err != nil {
			return err
		}
	}
	return nil
}

func addEnv(s *session.Session, path string, add func(string, []byte) error) error {
	b, err := os.ReadFile(s.Path(path))
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := strings.TrimLeft(sc.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			value = s.Getenv(key) // a name alone takes the variable's value, as in kubectl
		}
		if err := add(key, []byte(value)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return sc.Err()
}
