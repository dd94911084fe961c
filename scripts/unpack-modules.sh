#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes modules out of the kernel packages that scripts/fetch-guest.sh has fetched: each to
# DESTINATION/MODULE.ko. A `?` before a name: it may be built into the kernel, and is left out then.
# usage: unpack-modules.sh GUEST-DIRECTORY FLAVOUR DESTINATION MODULE...
set -euo pipefail
guest=$1 flavour=$2 destination=$3
shift 3
version=$(cat "$guest/$flavour/version")
package=$(echo "$guest/apt/packages/linux-image-${version}_"*.deb)
[ -f "$package" ] || { echo "unpack-modules: no package of $version in $guest/apt/packages; remove $guest/fetched, and 'make guest' fetches it again" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch" "./lib/modules/$version"
mkdir -p "$destination"
for word in "$@"; do
  module=${word#\?}
  path=$(find "$scratch" -name "$module.ko*" | head -n 1)
  if [ -z "$path" ]; then
    [ "$word" != "$module" ] || { echo "unpack-modules: $version has no module $module" >&2; exit 1; }
    continue
  fi
  case $path in *.xz) xz -dc "$path" ;; *) cat "$path" ;; esac >"$destination/$module.ko"
done
