#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes modules out of the kernel packages that scripts/fetch-guest.sh has fetched.
# usage: unpack-modules.sh GUEST-DIRECTORY FLAVOUR DESTINATION MODULE...
set -euo pipefail
guest=$1 flavour=$2 destination=$3
shift 3
version=$(cat "$guest/$flavour/version")
package=$(echo "$guest/apt/packages/linux-image-${version}_"*.deb)
[ -f "$package" ] || { echo "unpack-modules: no package of $version in $guest/apt/packages; remove $guest/fetched, and 'make guest' fetches it again" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
patterns=()
for module in "$@"; do patterns+=("*/$module.ko*"); done
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch" --wildcards "${patterns[@]}"
mkdir -p "$destination"
for module in "$@"; do
  path=$(find "$scratch" -name "$module.ko*" | head -n 1)
  [ -n "$path" ] || { echo "unpack-modules: $version has no module $module" >&2; exit 1; }
  case $path in *.xz) xz -dc "$path" ;; *) cat "$path" ;; esac >"$destination/$module.ko"
done
