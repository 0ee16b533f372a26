//go:build linux

package up

import "runtime/debug"

// roomy is the GOGC of a process with a limit of memory: how large its garbage may grow before
// it is collected, in percent of what lives. That is so much that the limit decides: while a quarter
// of it lives, three quarters are allocated between two collections, and would be one without.
const roomy = 400

// useRoom has a process that was told how much memory it may have use it for fewer collections,
// unless it was told that as well. Without a limit garbage grows as large as what lives.
func useRoom(getenv func(string) string) {
	if hasRoom(getenv) {
		debug.SetGCPercent(roomy)
	}
}

// hasRoom tells whether there is a limit of memory and nothing said of garbage.
func hasRoom(getenv func(string) string) bool {
	limit := getenv("GOMEMLIMIT")
	return limit != "" && limit != "off" && getenv("GOGC") == ""
}
