package lab

import (
	"errors"
	"path/filepath"
)

// APIURL is where the Kubernetes HTTP API is once StartGateway was called.
func (l *Lab) APIURL() string { return "https://" + l.gateway() + ":6443" }

// Kubeconfig is the path of the administrator's kubeconfig.
func (l *Lab) Kubeconfig() string { return filepath.Join(l.Dir, "kubeconfig") }

// Authority is the certificate authority of the HTTP API.
func (l *Lab) Authority() string { return filepath.Join(l.data(), "pki", "ca.crt") }

// data is the directory of what the control plane keeps.
func (l *Lab) data() string { return filepath.Join(l.Dir, "bus") }

// makeAuthority makes the authority of the HTTP API and writes the kubeconfig, if there are none yet.
func (l *Lab) makeAuthority() error {
	_, err := run(l.Binary, "config", "kubeconfig", "--data-dir", l.data(), "--api-url", l.APIURL(), "-o", l.Kubeconfig())
	return err
}

// StartGateway starts a gateway, a process of its own.
func (l *Lab) StartGateway() error {
	if err := l.makeAuthority(); err != nil {
		return err
	}
	p := l.proc("gateway", l.Binary, "serve", "gateway", "--nats", l.URL(), "--creds", l.Creds("gateway"),
		"--data-dir", l.data(), "--listen", l.gateway()+":6443")
	return errors.Join(p.spawn(l.Dir), l.save())
}
