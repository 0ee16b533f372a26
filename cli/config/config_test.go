package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "config.yaml")
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Set(Context{Name: "b", Server: "nats://b", CredentialsData: "-----BEGIN\nseed\n-----\n"})
	f.Set(Context{Name: "a", Server: "nats://a"})
	f.Set(Context{Name: "a", Server: "nats://a2", Namespace: "x"})
	f.CurrentContext = "b"
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Contexts) != 2 || got.Contexts[0].Server != "nats://a2" || *got.Find("b") != *f.Find("b") {
		t.Errorf("loaded %+v", got)
	}
	creds, err := got.Find("b").Creds()
	if err != nil || string(creds) != "-----BEGIN\nseed\n-----\n" {
		t.Errorf("credentials %q, %v", creds, err)
	}
	got.Remove("b")
	if got.CurrentContext != "" || got.Find("b") != nil {
		t.Errorf("after removal %+v", got)
	}
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("current-contxt: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a misspelled key is accepted")
	}
}
