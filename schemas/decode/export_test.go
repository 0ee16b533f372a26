package decode

// TreeJSON returns what a YAML document is as JSON, whatever its kind.
func TreeJSON(src string) ([]byte, error) {
	root, p := readYAML(chunk{text: src, line: 1})
	if p != nil {
		return nil, p
	}
	if root == nil {
		return []byte("null"), nil
	}
	return root.json()
}
