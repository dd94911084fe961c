#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages of sections of scripts/packages.txt that are missing; with
# --packages, those that are named. Touches neither the network nor the package index when all are
# there.
# usage: install-packages.sh SECTION… | --packages PACKAGE…
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "install-packages: $*" >&2; exit 1; }
section() { sed -n "/^\[$1\]\$/,/^\[/ { s/#.*//; /^[a-z]/p }" scripts/packages.txt; }

[ $# -gt 0 ] || die "usage: install-packages.sh SECTION… | --packages PACKAGE…"
if [ "$1" = --packages ]; then
  wanted=("${@:2}")
else
  wanted=()
  for name in "$@"; do
    mapfile -t packages < <(section "$name")
    [ ${#packages[@]} -gt 0 ] || die "scripts/packages.txt has no section [$name]"
    wanted+=("${packages[@]}")
  done
fi
command -v dpkg-query >/dev/null || die "this is not a Debian system; install by hand: ${wanted[*]}"
# One at a time: make asks for several sections at once.
exec 9<scripts/packages.txt
flock 9

missing() {
  for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | head -c 9)" = installed ] || echo "$package"
  done
}

mapfile -t need < <(missing)
[ ${#need[@]} -gt 0 ] || exit 0
echo "install-packages: installing ${need[*]}"

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "need root or sudo to install: ${need[*]}"
  as_root=(sudo)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

# First with the index that is there; then, the index being old, absent or just being replaced on
# the server, with a new one.
if apt install -y --no-install-recommends "${need[@]}" 2>/dev/null; then exit 0; fi
pause=5
for attempt in 1 2 3 4 5; do
  if apt update && apt install -y --no-install-recommends "${need[@]}"; then
    mapfile -t need < <(missing)
    [ ${#need[@]} -eq 0 ] && exit 0
  fi
  echo "install-packages: attempt $attempt failed; again in $pause s" >&2
  sleep $pause
  pause=$((pause * 2))
done
die "could not install: ${need[*]} (see apt-get's messages above; is the network there, is the release Debian 12?)"
