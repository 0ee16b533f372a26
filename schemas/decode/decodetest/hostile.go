package decodetest

import (
	"fmt"
	"strings"
)

// podHead begins a Pod, up to its first container's fields.
const podHead = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n"

// Hostile is input made to break the reader, and what its error must say.
func Hostile() []Case {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	var merges strings.Builder
	merges.WriteString("a: &a\n")
	for i := range 1900 {
		fmt.Fprintf(&merges, "  k%d: v\n", i)
	}
	merges.WriteString("b:\n" + strings.Repeat("- <<: *a\n", 4000))
	long := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
	var indented strings.Builder
	for i := range 1000 {
		indented.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "  k%d: v\n", i)
	}
	return []Case{
		{"20 MB", long + "  a: " + strings.Repeat("x", 20<<20), "MiB"},
		{"3 MB of one YAML document", long + "  a: " + strings.Repeat("x", 3<<20), "KiB"},
		{"8 MB of zeros", strings.Repeat("\x00", 8<<20), "control character"},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00\x00", "control character"},
		{"latin-1", "a: \xe9t\xe9\n", "not UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00a\x00\x00\x00", "control character"},
		{"brackets", strings.Repeat("[", 1<<20), "levels deep"},
		{"braces", strings.Repeat("{a: ", 1<<18), "levels deep"},
		{"JSON brackets", strings.Repeat(`{"a":`, 1<<18), "levels deep"},
		{"JSON lists", strings.Repeat(`[`, 1<<20), "levels deep"},
		{"dashes", strings.Repeat("- ", 1<<17), "levels deep"},
		{"question marks", strings.Repeat("? ", 1<<17), "levels deep"},
		{"indentation", indented.String(), "levels deep"},
		{"billion laughs", laughs, "expand"},
		{"merge bomb", merges.String(), "merge keys"},
		{"alias to itself", "a: &a [*a]\n", "anchor"},
		{"many keys", long + keys.String(), "keys in one map"},
		{"many values", "a: [" + strings.Repeat("1,", 1<<19) + "1]", "values in one document"},
		{"many documents", strings.Repeat("---\na: b\n", 20_000), "documents in one file"},
		{"values left out", strings.Repeat("-\n", 50_000), "left out"},
		{"flow values left out", "{" + strings.Repeat("a, ", 50_000) + "a}", "left out"},
		{"question mark map", strings.Repeat("? a\n", 10_000), "keys in one map"},
		{"merge of itself", "a: &a\n  <<: *a\n", "anchor"},
		{"asterisks", strings.Repeat("*", 1<<20), ""},
		{"colons", strings.Repeat(": ", 1<<19), ""},
		{"anchors", strings.Repeat("&a ", 1<<18), ""},
		{"tags", strings.Repeat("!!str ", 1<<18), ""},
		{"open quote", "a: \"" + strings.Repeat("x\n ", 1<<18), ""},
		{"tabs", "a:\n\tb: c\n", ""},
		{"nothing but text", "this is not a manifest", "expected an object"},
		{"HTML", "<!DOCTYPE html>\n<html><body>404</body></html>\n", ""},
		{"infinite number", "apiVersion: v1\nkind: Pod\nspec: {priority: 1e999999}\n", ""},
		{"huge exponent", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"priority\": 1e999999999}}", ""},
		{"huge quantity", podHead + "    resources: {limits: {cpu: 1" + strings.Repeat("0", 100_000) + "Q}}\n", "quantity"},
	}
}
