// Package config is the file that tells the CLI which clusters there are: contexts
// with the bus's URL, credentials, TLS and namespace, as a kubeconfig does.
//
// It reads and writes that one file, with mode 0600 and a rename. What always holds: a
// reader sees the old file or the new one, never a part.
package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// File is the configuration file.
type File struct {
	CurrentContext string    `yaml:"current-context,omitempty"`
	Contexts       []Context `yaml:"contexts,omitempty"`
}

// Context is one cluster, as one user.
type Context struct {
	Name string `yaml:"name"`
	// Server is the bus's URL (nats://host:port), or several separated by commas.
	Server    string `yaml:"server"`
	User      string `yaml:"user,omitempty"`
	Namespace string `yaml:"namespace,omitempty"`
	// Credentials is the path of a NATS credentials file; CredentialsData its content.
	Credentials     string `yaml:"credentials,omitempty"`
	CredentialsData string `yaml:"credentials-data,omitempty"`
	// CA is the path of a PEM file with the authorities to trust; CAData its content.
	CA     string `yaml:"certificate-authority,omitempty"`
	CAData string `yaml:"certificate-authority-data,omitempty"`
	// TLSServerName overrides the name checked in the server's certificate.
	TLSServerName string `yaml:"tls-server-name,omitempty"`
}

// Load reads the file at path; a file that is not there is empty.
func Load(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	f := &File{}
	if len(bytes.TrimSpace(b)) == 0 {
		return f, nil
	}
	if err := yaml.UnmarshalWithOptions(b, f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return f, nil
}

// Save writes the file atomically.
func (f *File) Save(path string) error {
	b, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := WriteFile(path, b); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// WriteFile replaces path by b with mode 0600, making its folder if need be.
func WriteFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// Find returns the context by name, or nil.
func (f *File) Find(name string) *Context {
	for i := range f.Contexts {
		if f.Contexts[i].Name == name {
			return &f.Contexts[i]
		}
	}
	return nil
}

// Set adds c or replaces the context of its name.
func (f *File) Set(c Context) {
	if old := f.Find(c.Name); old != nil {
		*old = c
		return
	}
	f.Contexts = append(f.Contexts, c)
	slices.SortFunc(f.Contexts, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
}

// Remove removes the context by name.
func (f *File) Remove(name string) {
	f.Contexts = slices.DeleteFunc(f.Contexts, func(c Context) bool { return c.Name == name })
	if f.CurrentContext == name {
		f.CurrentContext = ""
	}
}

// Creds returns the content of the credentials file.
func (c *Context) Creds() ([]byte, error) {
	if c.CredentialsData != "" {
		return []byte(c.CredentialsData), nil
	}
	if c.Credentials == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.Credentials)
	if err != nil {
		return nil, fmt.Errorf("read credentials of context %q: %w", c.Name, err)
	}
	return b, nil
}

// TLS returns what to trust, or nil for the default.
func (c *Context) TLS() (*tls.Config, error) {
	pem := []byte(c.CAData)
	if len(pem) == 0 && c.CA != "" {
		var err error
		if pem, err = os.ReadFile(c.CA); err != nil {
			return nil, fmt.Errorf("read certificate authority of context %q: %w", c.Name, err)
		}
	}
	if len(pem) == 0 && c.TLSServerName == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName}
	if len(pem) > 0 {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority of context %q: no PEM certificate in it", c.Name)
		}
	}
	return t, nil
}
