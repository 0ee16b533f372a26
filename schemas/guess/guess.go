// Package guess finds the name that was meant by one that does not exist, for
// "did you mean" in errors. Pure.
//
// What always holds: a guess is one of the names given, and no guess is better than
// a far-fetched one.
package guess

import "strings"

// longest bounds the work on names that nobody typed.
const longest = 80

// Slip tells whether a is b but for case or a slip of one character.
func Slip(a, b string) bool {
	return strings.EqualFold(a, b) || len(a) <= longest && distance(a, b) <= 1
}

// Nearest returns the name that a was probably meant to be, or "".
func Nearest(a string, names []string) string {
	if len(a) > longest {
		return ""
	}
	best, limit := "", max(1, len(a)/3)+1
	for _, name := range names {
		if strings.EqualFold(a, name) || a+"s" == name || a == name+"s" {
			return name
		}
		if len(a)-len(name) >= limit || len(name)-len(a) >= limit {
			continue
		}
		if d := distance(strings.ToLower(a), strings.ToLower(name)); d < limit {
			best, limit = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
