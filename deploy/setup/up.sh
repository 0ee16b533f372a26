#!/bin/sh
# Starts a one-host cluster and runs the example on it. Running it again is harmless.
set -eu
cd "$(dirname "$0")/../.."

sudo=
if [ "$(id -u)" -ne 0 ]; then
	echo "up: containers of a cluster belong to root; using sudo"
	sudo="sudo --preserve-env=SKERRY_CONFIG,HOME"
fi

echo "up: starting a one-host cluster"
$sudo bin/skerry up --detach

echo "up: building the example's image"
mkdir -p .task/hello
go build -trimpath -o .task/hello/hello ./deploy/examples/hello
for version in v1 v2; do
	# Importing again would make another image of the same content.
	if $sudo podman image exists "localhost/skerry-hello:$version" && [ -z "$(find deploy/examples/hello -newer .task/hello/stamp 2>/dev/null || echo new)" ]; then
		continue
	fi
	tar -C .task/hello -cf - hello |
		$sudo podman import --quiet --change 'ENTRYPOINT ["/hello"]' --change "ENV VERSION=$version" \
			- "localhost/skerry-hello:$version" >/dev/null
done
touch .task/hello/stamp

echo "up: applying deploy/examples/hello"
$sudo bin/skerry apply -f deploy/examples/hello --wait --timeout 2m

ip=$($sudo bin/skerry get pods -l app=hello -o 'jsonpath={.items[0].status.podIP}')
go run ./deploy/setup/fetch "http://$ip:8080/"
cat <<'EOT'

Try next:
  bin/skerry get pods -o wide
  podman ps
  bin/skerry scale deployment/hello --replicas 4
  bin/skerry rollout history deployment/hello
  bin/skerry --help
Remove all traces: go tool task down
EOT
