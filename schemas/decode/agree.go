package decode

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// agree has the document read by Kubernetes' own YAML reader too. The parser that
// gives positions is lenient in places where text would be dropped or read otherwise
// than kubectl does; what the two do not agree on is an error, never a surprise.
func agree(c chunk, root *node) *problem {
	want, err := yaml.YAMLToJSON([]byte(c.text))
	if err != nil {
		return yamlProblem(c, err)
	}
	got, err := root.json()
	if err != nil {
		return problemf(root.pos, "%v", err)
	}
	if bytes.Equal(got, want) {
		return nil
	}
	var theirs any
	if err := json.Unmarshal(want, &theirs); err != nil {
		return problemf(root.pos, "%v", err)
	}
	var steps []string
	odd := disagreement(root, theirs, &steps)
	p := problemf(odd.pos, "ambiguous YAML, which parsers read differently: quote the value, or indent it clearly")
	p.path = joinPath(steps)
	return p
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

func yamlProblem(c chunk, err error) *problem {
	message := err.Error()
	if i := strings.LastIndex(message, "yaml: "); i >= 0 {
		message = message[i+len("yaml: "):]
	}
	at := pos{c.line, 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.line += line - 1
		}
		message = message[len(m[0]):]
	}
	return problemf(at, "not valid YAML: %s", strings.TrimSpace(message))
}

// disagreement finds the first value below n that is not what v has there.
func disagreement(n *node, v any, steps *[]string) *node {
	switch v := v.(type) {
	case map[string]any:
		for _, p := range n.pairs {
			if other, ok := v[p.key]; !ok || !same(p.value, other) {
				*steps = append(*steps, p.key)
				return disagreement(p.value, other, steps)
			}
		}
	case []any:
		for i, item := range n.items {
			if i >= len(v) || !same(item, v[i]) {
				*steps = append(*steps, "["+strconv.Itoa(i)+"]")
				if i >= len(v) {
					return item
				}
				return disagreement(item, v[i], steps)
			}
		}
	}
	return n
}

func same(n *node, v any) bool {
	data, err := n.json()
	if err != nil {
		return false
	}
	var mine any
	return json.Unmarshal(data, &mine) == nil && reflect.DeepEqual(mine, v)
}
