package config

import (
	"encoding/base64"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Kube is one cluster and one user of it, for kubectl.
type Kube struct {
	Cluster, Server, User string
	// CA is what to trust, Cert and Key who the user is: PEM.
	CA, Cert, Key []byte
}

type named[T any] struct {
	Name string `yaml:"name"`
	Of   T      `yaml:",inline"`
}

type kubeCluster struct {
	Cluster struct {
		Server string `yaml:"server"`
		CA     string `yaml:"certificate-authority-data"`
	} `yaml:"cluster"`
}

type kubeUser struct {
	User struct {
		Cert string `yaml:"client-certificate-data"`
		Key  string `yaml:"client-key-data"`
	} `yaml:"user"`
}

type kubeContext struct {
	Context struct {
		Cluster string `yaml:"cluster"`
		User    string `yaml:"user"`
	} `yaml:"context"`
}

type kubeFile struct {
	APIVersion string               `yaml:"apiVersion"`
	Kind       string               `yaml:"kind"`
	Clusters   []named[kubeCluster] `yaml:"clusters"`
	Users      []named[kubeUser]    `yaml:"users"`
	Contexts   []named[kubeContext] `yaml:"contexts"`
	Current    string               `yaml:"current-context"`
}

// Kubeconfig renders k as kubectl's configuration file.
func Kubeconfig(k Kube) ([]byte, error) {
	b64 := base64.StdEncoding.EncodeToString
	var cluster kubeCluster
	cluster.Cluster.Server, cluster.Cluster.CA = k.Server, b64(k.CA)
	var user kubeUser
	user.User.Cert, user.User.Key = b64(k.Cert), b64(k.Key)
	var context kubeContext
	context.Context.Cluster, context.Context.User = k.Cluster, k.User
	name := k.User + "@" + k.Cluster
	b, err := yaml.Marshal(kubeFile{
		APIVersion: "v1", Kind: "Config", Current: name,
		Clusters: []named[kubeCluster]{{k.Cluster, cluster}},
		Users:    []named[kubeUser]{{k.User, user}},
		Contexts: []named[kubeContext]{{name, context}},
	})
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return b, nil
}
