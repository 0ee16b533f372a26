package lab

import (
	"errors"
	"path/filepath"
)

// APIURL is where the Kubernetes HTTP API is once StartGateway was called.
func (l *Lab) APIURL() string { return "https://" + l.gateway() + ":6443" }

// Kubeconfig is the path of the administrator's kubeconfig.
func (l *Lab) Kubeconfig() string { return filepath.Join(l.Dir, "kubeconfig") }

// StartGateway starts a gateway, a process of its own, and writes the kubeconfig if there
// is none yet.
func (l *Lab) StartGateway() error {
	data := filepath.Join(l.Dir, "bus")
	if _, err := run(l.Binary, "config", "kubeconfig", "--data-dir", data, "--api-url", l.APIURL(), "-o", l.Kubeconfig()); err != nil {
		return err
	}
	p := l.proc("gateway", l.Binary, "serve", "gateway", "--nats", l.URL(), "--creds", l.Creds("gateway"),
		"--data-dir", data, "--listen", l.gateway()+":6443")
	return errors.Join(p.spawn(l.Dir), l.save())
}
