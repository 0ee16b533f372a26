package env

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestFilesOfVariables(t *testing.T) {
	got, err := parseFile("# comment\n\n  A=1\nB = two words # not this\nC='a # b\nnext line' ignored\nD=''\nA=again\nE='it''s'\n")
	want := map[string]string{"A": "1", "B": "two words", "C": "a # b\nnext line", "D": "", "E": "it"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	for bad, word := range map[string]string{"A": "must be NAME=value", "=x": "1 to 128 bytes", "A='x": "no closing quote", strings.Repeat("a", 129) + "=x": "1 to 128 bytes"} {
		if _, err := parseFile(bad); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFileKeyRef(t *testing.T) {
	yes := true
	node := Node{File: func(volume, path string) ([]byte, error) {
		if path != "f" {
			return nil, fs.ErrNotExist
		}
		return []byte(volume + "=x\n"), nil
	}}
	make1 := func(s v1.FileKeySelector) (map[string]string, error) {
		c := &v1.Container{Env: []v1.EnvVar{{Name: "V", ValueFrom: &v1.EnvVarSource{FileKeyRef: &s}}}}
		r, err := Make(context.Background(), &v1.Pod{}, c, node, nil)
		return r.Env, err
	}
	if got, err := make1(v1.FileKeySelector{VolumeName: "vol", Path: "f", Key: "vol"}); err != nil || got["V"] != "x" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := make1(v1.FileKeySelector{VolumeName: "vol", Path: "f", Key: "none", Optional: &yes}); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := make1(v1.FileKeySelector{VolumeName: "vol", Path: "g", Key: "none", Optional: &yes}); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := make1(v1.FileKeySelector{VolumeName: "vol", Path: "f", Key: "none"}); err == nil {
		t.Error("a key that is not there was found")
	}
	if _, err := make1(v1.FileKeySelector{VolumeName: "vol", Path: "g", Key: "none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
