package env

import "strings"

// Expand replaces $(NAME) by lookup's value. $$ stands for $, so $$(NAME) stays as
// $(NAME); a name that lookup does not know stays as it is written.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
func Expand(s string, lookup map[string]string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString("$(")
				i++
				continue
			}
			if v, ok := lookup[s[i+2:i+end]]; ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

// ExpandAll expands each of ss; nil stays nil.
func ExpandAll(ss []string, lookup map[string]string) []string {
	if ss == nil {
		return nil
	}
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = Expand(s, lookup)
	}
	return out
}

// ExpandStrict is Expand for what must not keep a reference: it tells which names are missing.
func ExpandStrict(s string, lookup map[string]string) (expanded string, missing []string) {
	for _, name := range references(s) {
		if _, ok := lookup[name]; !ok {
			missing = append(missing, name)
		}
	}
	return Expand(s, lookup), missing
}

// references are the names that s refers to.
func references(s string) []string {
	var names []string
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '$' {
			continue
		}
		if s[i+1] == '(' {
			if end := strings.IndexByte(s[i:], ')'); end > 0 {
				names = append(names, s[i+2:i+end])
				i += end
			}
			continue
		}
		i++ // $$ stands for $
	}
	return names
}
