#!/bin/sh
# Every fuzz target, each for a time of its own: fuzz.sh [TIME [AT ONCE]].
# What a target finds is left in its package's testdata/fuzz, where the tests will meet it again.
set -eu
time=${1:-10m}
jobs=${2:-2}
logs=$(mktemp -d)
# The fuzzing engine takes one target of one package at a time; each gets one worker and a
# bound of memory, so that a decoder that asks for too much ends its run. An input that is new is made smaller
# for a second at most, not for a minute, which would be most of the time.
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r target; do
		echo "$(dirname "$file") $target"
	done
done | sort >"$logs/targets"
one='
log=$0/$(echo "$2.$3" | tr -dc A-Za-z0-9.)
if (ulimit -v 33554432; GOMEMLIMIT=1GiB nice go test "$2" -run "^$3\$" -fuzz "^$3\$" -fuzztime "$1" -fuzzminimizetime 1s -parallel 1 -timeout 0) >"$log" 2>&1; then
	echo "ok   $2 $3 $(grep -o "execs: [0-9]*" "$log" | tail -1)"
else
	echo "FAIL $2 $3"
	tail -40 "$log"
	exit 1
fi'
result=0
xargs -P "$jobs" -L 1 sh -c "$one" "$logs" "$time" <"$logs/targets" || result=1
rm -rf "$logs"
exit $result
