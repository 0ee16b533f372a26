package image

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func secret(kind v1.SecretType, text string) *v1.Secret {
	key := v1.DockerConfigJsonKey
	if kind == v1.SecretTypeDockercfg {
		key = v1.DockerConfigKey
	}
	return &v1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Type: kind, Data: map[string][]byte{key: []byte(text)}}
}

func TestKeyring(t *testing.T) {
	auth := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	var k Keyring
	for _, s := range []*v1.Secret{
		secret(v1.SecretTypeDockerConfigJson, `{"auths":{
			"https://index.docker.io/v1/": {"auth":"`+auth("hub:p:w")+`"},
			"r.example.com": {"username":"whole","password":"p"},
			"r.example.com/team": {"username":"team","password":"p"},
			"https://r.example.com:5000/v2/": {"username":"port","password":"p"},
			"*.wild.example.com": {"username":"wild","password":"p"},
			"empty.example.com": {}}}`),
		secret(v1.SecretTypeDockercfg, `{"old.example.com": {"username":"old","password":"p","email":"x"}, "r.example.com": {"username":"second","password":"p"}}`),
		secret(v1.SecretTypeOpaque, `not read`),
	} {
		if err := k.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	for image, want := range map[string]string{
		"busybox":                          "hub/p:w",
		"docker.io/library/busybox:1":      "hub/p:w",
		"team/app":                         "hub/p:w",
		"r.example.com/other/app:1":        "whole/p second/p",
		"r.example.com/team/app@sha256:00": "team/p whole/p second/p",
		"r.example.com:5000/app":           "port/p",
		"a.wild.example.com/app":           "wild/p",
		"a.b.wild.example.com/app":         "",
		"wild.example.com/app":             "",
		"old.example.com/app":              "old/p",
		"empty.example.com/app":            "",
		"localhost/app":                    "",
	} {
		var got []string
		for _, c := range k.For(image) {
			got = append(got, c.Username+"/"+c.Password)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", image, got, want)
		}
	}
}

func TestBadPullSecrets(t *testing.T) {
	for _, s := range []*v1.Secret{
		secret(v1.SecretTypeDockerConfigJson, "{"),
		secret(v1.SecretTypeDockercfg, "[]"),
		secret(v1.SecretTypeDockercfg, `{"a": {"auth": "!"}}`),
		secret(v1.SecretTypeDockercfg, fmt.Sprintf(`{"a": {"auth": %q}}`, base64.StdEncoding.EncodeToString([]byte("nocolon")))),
	} {
		if err := new(Keyring).Add(s); err == nil || strings.Contains(err.Error(), "nocolon") {
			t.Errorf("%s: %v", s.Data, err)
		}
	}
}
