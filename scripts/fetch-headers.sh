#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches the headers of one of Debian's kernels, to build the module for it, from Debian's own
# packages. scripts/private-apt.sh says how apt is used: nothing is installed on this machine.
# FETCH_ATTEMPTS limits how often it tries. usage: fetch-headers.sh DIRECTORY KERNEL_VERSION
set -euo pipefail
version=${2:?usage: fetch-headers.sh DIRECTORY KERNEL_VERSION}
architecture=amd64
. "$(dirname "$0")/fetch-into.sh"

# The package names the two others that it is built of.
fetch() {
  local others
  rm -f "$state"/packages/*.deb
  apt_update
  others=$(apt_cache depends "linux-headers-$version" 2>/dev/null | awk '/Depends: linux-(headers|kbuild)-/ { print $2 }')
  [ -n "$others" ] || return 1
  (cd "$state/packages" && apt_get download "linux-headers-$version" $others)
}

again_and_again fetch

rm -rf "$directory/usr" "$directory/lib"
for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$directory"; done
rm -f "$state"/packages/*.deb
# Its Makefile names the place where the package would be installed; from 7.0 on in two lines.
sed -i -E "s#^(include |KBUILD_OUTPUT *:?= *)/usr/src/#\1$directory/usr/src/#" "$directory/usr/src/linux-headers-$version/Makefile"
touch "$directory/fetched"
echo "fetch-headers: $version is in $directory"
