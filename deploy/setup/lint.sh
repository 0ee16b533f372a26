#!/bin/sh
# Format, vet, and the rules of the house that a machine can check.
set -eu
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "lint: not gofmt-ed (run gofmt -w):" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
