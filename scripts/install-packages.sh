#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages listed in scripts/packages.txt (or given as arguments) that are
# missing. Touches neither the network nor the package index when all are there.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "install-packages: $*" >&2; exit 1; }

if [ $# -gt 0 ]; then wanted=("$@"); else mapfile -t wanted < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' scripts/packages.txt); fi
command -v dpkg-query >/dev/null || die "this is not a Debian system; install by hand what scripts/packages.txt lists: ${wanted[*]}"

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
