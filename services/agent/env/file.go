package env

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// longestKey is the most bytes of a name in a file of variables (KEP-3721).
const longestKey = 128

// file is the value of a fileKeyRef: a variable in a file that another container of the pod wrote.
func (m *maker) file(r *v1.FileKeySelector) (string, bool, error) {
	if m.node.File == nil {
		return "", false, fmt.Errorf("fileKeyRef: volume %q cannot be read here", r.VolumeName)
	}
	data, err := m.node.File(r.VolumeName, r.Path)
	if errors.Is(err, fs.ErrNotExist) && optional(r.Optional) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("couldn't read file %s of volume %s: %w", r.Path, r.VolumeName, err)
	}
	vars, err := parseFile(string(data))
	if err != nil {
		return "", false, fmt.Errorf("file %s of volume %s: %w", r.Path, r.VolumeName, err)
	}
	v, ok := vars[r.Key]
	if !ok && !optional(r.Optional) {
		return "", false, fmt.Errorf("environment variable key %q not found in file %q", r.Key, r.Path)
	}
	return v, ok, nil
}

// parseFile reads lines of NAME=value and NAME='value', the latter literal and over several lines if
// need be. Blank lines, and what follows a #, say nothing. The first of equal names holds.
func parseFile(s string) (map[string]string, error) {
	vars := map[string]string{}
	for s != "" {
		line, rest, _ := strings.Cut(s, "\n")
		line = strings.TrimLeft(line, " \t")
		s = rest
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("invalid line %q: must be NAME=value", strings.TrimSpace(line))
		}
		name = strings.TrimSpace(name)
		if name == "" || len(name) > longestKey {
			return nil, fmt.Errorf("invalid name %q: must have 1 to %d bytes", name, longestKey)
		}
		if after, quoted := strings.CutPrefix(value, "'"); quoted {
			whole := after + "\n" + rest
			end := strings.IndexByte(whole, '\'')
			if end < 0 {
				return nil, fmt.Errorf("the value of %s has no closing quote", name)
			}
			value = whole[:end]
			_, s, _ = strings.Cut(whole[end+1:], "\n")
		} else {
			value, _, _ = strings.Cut(value, "#")
			value = strings.TrimSpace(value)
		}
		if _, known := vars[name]; !known {
			vars[name] = value
		}
	}
	return vars, nil
}
