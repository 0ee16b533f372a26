package image

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Keyring are credentials by the registries that they are for.
type Keyring struct{ entries []entry }

type entry struct {
	// registry is "host[:port][/path]"; parts of the host's name may be patterns.
	registry string
	sandbox.Credential
}

// login is one registry's part of a Docker configuration.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Auth     string `json:"auth"` // base64 of username:password
}

// Add takes in a Secret of the type dockerconfigjson or dockercfg. Secrets of other
// types hold none.
func (k *Keyring) Add(s *v1.Secret) error {
	logins := map[string]login{}
	switch s.Type {
	case v1.SecretTypeDockerConfigJson:
		var file struct {
			Auths map[string]login `json:"auths"`
		}
		if err := json.Unmarshal(s.Data[v1.DockerConfigJsonKey], &file); err != nil {
			return fmt.Errorf("read pull secret %s: %w", s.Name, err)
		}
		logins = file.Auths
	case v1.SecretTypeDockercfg:
		if err := json.Unmarshal(s.Data[v1.DockerConfigKey], &logins); err != nil {
			return fmt.Errorf("read pull secret %s: %w", s.Name, err)
		}
	}
	for registry, l := range logins {
		c, err := l.credential()
		if err != nil {
			return fmt.Errorf("read pull secret %s: registry %s: %w", s.Name, registry, err)
		}
		if c != (sandbox.Credential{}) {
			k.entries = append(k.entries, entry{registryOf(registry), c})
		}
	}
	return nil
}

func (l login) credential() (sandbox.Credential, error) {
	if l.Auth == "" {
		return sandbox.Credential{Username: l.Username, Password: l.Password}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(l.Auth)
	if err != nil {
		if raw, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(l.Auth, "=")); err != nil {
			return sandbox.Credential{}, fmt.Errorf("decode auth: %w", err)
		}
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return sandbox.Credential{}, fmt.Errorf("auth is not of the form username:password")
	}
	return sandbox.Credential{Username: user, Password: password}, nil
}

// registryOf takes the scheme and the version of the API off a registry's key.
func registryOf(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	host, at, _ := strings.Cut(key, "/")
	for _, version := range []string{"v1", "v2"} {
		if at == version || strings.HasPrefix(at, version+"/") {
			at = strings.TrimPrefix(strings.TrimPrefix(at, version), "/")
		}
	}
	return strings.TrimSuffix(host+"/"+at, "/")
}

// dockerHub is the registry of images whose names have none.
const dockerHub = "index.docker.io"

// For returns the credentials for image, those for the longest path first. Several are
// tried one after the other.
func (k *Keyring) For(image string) []sandbox.Credential {
	name, _, _ := strings.Cut(image, "@")
	host, repository, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, repository = dockerHub, name
	}
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = dockerHub
	}
	matches := slices.DeleteFunc(slices.Clone(k.entries), func(e entry) bool { return !e.covers(host, repository) })
	slices.SortStableFunc(matches, func(a, b entry) int { return strings.Compare(b.registry, a.registry) })
	var out []sandbox.Credential
	for _, e := range matches {
		if !slices.Contains(out, e.Credential) {
			out = append(out, e.Credential)
		}
	}
	return out
}

// covers tells whether the entry is for repository at host: the same port, as many
// parts of the name, each fitting its pattern, and a path that the repository begins with.
func (e entry) covers(host, repository string) bool {
	pattern, prefix, _ := strings.Cut(e.registry, "/")
	if pattern == "docker.io" {
		pattern = dockerHub
	}
	pattern, wantPort, _ := strings.Cut(pattern, ":")
	host, port, _ := strings.Cut(host, ":")
	want, have := strings.Split(pattern, "."), strings.Split(host, ".")
	if wantPort != port || len(want) != len(have) || !strings.HasPrefix(repository, prefix) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], have[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
