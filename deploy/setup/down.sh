#!/bin/sh
# Removes all traces of `up`: pods, network, data, the example's image and the context.
set -eu
cd "$(dirname "$0")/../.."
sudo=
[ "$(id -u)" -eq 0 ] || sudo="sudo --preserve-env=SKERRY_CONFIG,HOME"
$sudo bin/skerry down --purge
for version in v1 v2; do
	$sudo podman image rm --force "localhost/skerry-hello:$version" >/dev/null 2>&1 || true
done
rm -rf .task/hello
