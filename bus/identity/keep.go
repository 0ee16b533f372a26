package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"
)

// seeds is the authority's file: every seed as text.
type seeds struct {
	Operator string          `json:"operator"`
	System   string          `json:"system"`
	Account  string          `json:"account"`
	Signers  map[Role]string `json:"signers"`
}

const seedFile = "authority.json"

// Load reads the authority from dir, creating it there (directory 0700, file 0600)
// if it is not there yet. A damaged file is an error: making new keys would lock
// out every node.
func Load(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("load authority: %w", err)
	}
	path := filepath.Join(dir, seedFile)
	b, err := os.ReadFile(path)
	var s seeds
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("load authority: %w", err)
	default:
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("load authority: %s is damaged (restore it from a backup; a new one would lock out every node): %w", path, err)
		}
	}
	a, changed, err := fromSeeds(&s)
	if err != nil {
		return nil, fmt.Errorf("load authority from %s: %w", path, err)
	}
	if changed {
		if err := write(path, &s); err != nil {
			return nil, fmt.Errorf("keep authority: %w", err)
		}
	}
	return a, a.buildConfig()
}

// fromSeeds parses the keys, making those that are missing: all of them the first
// time, a new role's after an upgrade.
func fromSeeds(s *seeds) (a *Authority, changed bool, err error) {
	get := func(seed *string, create func() (nkeys.KeyPair, error)) (kp nkeys.KeyPair) {
		if err != nil {
			return nil
		}
		if *seed != "" {
			kp, err = nkeys.FromSeed([]byte(*seed))
			return kp
		}
		if kp, err = create(); err != nil {
			return nil
		}
		var b []byte
		b, err = kp.Seed()
		*seed, changed = string(b), true
		return kp
	}
	a = &Authority{signers: map[Role]nkeys.KeyPair{}}
	a.operator = get(&s.Operator, nkeys.CreateOperator)
	a.system = get(&s.System, nkeys.CreateAccount)
	a.account = get(&s.Account, nkeys.CreateAccount)
	if s.Signers == nil {
		s.Signers = map[Role]string{}
	}
	for _, r := range Roles() {
		seed := s.Signers[r]
		a.signers[r] = get(&seed, nkeys.CreateAccount)
		s.Signers[r] = seed
	}
	return a, changed, err
}

// write replaces the file whole: a crash leaves the old one or the new one.
func write(path string, s *seeds) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), seedFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(append(b, '\n')); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
