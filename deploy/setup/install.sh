#!/bin/sh
# Installs what Skerry needs on a host and is missing: Podman and its parts; with the
# argument "test" also busybox, which the images of the tests are made of, and what
# makes the file systems of disks.
# Says what it does; does nothing where everything is there. Uses sudo when not root.
set -eu

busybox=
disk=
[ "${1:-}" = test ] && busybox=busybox && disk="e2fsprogs xfsprogs"

missing=
need() { command -v "$1" >/dev/null 2>&1 || [ -x "$2" ] || missing="$missing $1"; }
need podman /usr/bin/podman
need conmon /usr/libexec/podman/conmon
need netavark /usr/lib/podman/netavark
[ -x /usr/libexec/podman/netavark ] && missing=$(printf '%s' "$missing" | sed 's/ netavark//')
need catatonit /usr/libexec/podman/catatonit
[ -x /usr/lib/podman/catatonit ] && missing=$(printf '%s' "$missing" | sed 's/ catatonit//')
need ip /sbin/ip
need nsenter /usr/bin/nsenter
command -v runc >/dev/null 2>&1 || command -v crun >/dev/null 2>&1 || missing="$missing runc"
command -v iptables >/dev/null 2>&1 || [ -x /usr/sbin/iptables ] || missing="$missing iptables"
command -v nft >/dev/null 2>&1 || [ -x /usr/sbin/nft ] || missing="$missing nftables"
[ -z "$busybox" ] || command -v busybox >/dev/null 2>&1 || missing="$missing busybox"
[ -z "$disk" ] || need mkfs.ext4 /sbin/mkfs.ext4
[ -z "$disk" ] || need mkfs.xfs /sbin/mkfs.xfs

[ -z "$missing" ] && exit 0
echo "setup: missing:$missing"

sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "setup: run this as root, or install sudo" >&2; exit 1; }
	sudo=sudo
fi

run() { echo "setup: $sudo $*"; $sudo "$@"; }

if command -v apt-get >/dev/null 2>&1; then
	run apt-get update -qq
	run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		podman runc conmon netavark aardvark-dns catatonit iptables nftables uidmap iproute2 util-linux ${busybox:+busybox-static} $disk
elif command -v dnf >/dev/null 2>&1; then
	run dnf install -y podman conmon netavark aardvark-dns catatonit iptables-nft nftables iproute util-linux $busybox $disk
elif command -v zypper >/dev/null 2>&1; then
	run zypper --non-interactive install podman conmon netavark aardvark-dns catatonit iptables nftables iproute2 util-linux ${busybox:+busybox-static} $disk
elif command -v pacman >/dev/null 2>&1; then
	run pacman -Sy --noconfirm --needed podman conmon netavark aardvark-dns catatonit iptables-nft nftables iproute2 util-linux crun $busybox $disk
elif command -v apk >/dev/null 2>&1; then
	run apk add podman conmon netavark aardvark-dns catatonit iptables nftables iproute2 util-linux ${busybox:+busybox-static} $disk
else
	echo "setup: no package manager that I know (apt, dnf, zypper, pacman, apk); install Podman 4.3 or newer by hand" >&2
	exit 1
fi
podman --version
