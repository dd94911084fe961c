#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the kernel module for one kernel. Its headers are those of this machine, or are fetched
# from Debian (scripts/fetch-headers.sh). The module is $BUILD/module/KERNEL_VERSION/crosswalk.ko.
#
#   build-module.sh [KERNEL_VERSION]     without one: of the running kernel if its headers are
#                                        installed, else of the machine of `make check-nested`
#   build-module.sh --sources DIRECTORY  only copies what DKMS needs, to build it there
# HEADERS names the kernel's headers, where they are elsewhere. CHECK=sparse also runs sparse, if
# that is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build} guest=${GUEST:-build/guest}

die() { echo "build-module: $*" >&2; exit 1; }

# Only what has changed, so that Kbuild makes only that again.
copy_sources() {
  mkdir -p "$1/kernel-module" "$1/mmu-shadow/walker"
  cp -pu kernel-module/*.[ch] kernel-module/Kbuild "$1/kernel-module"
  cp -pu mmu-shadow/walker/walk*.h mmu-shadow/walker/*_descriptors.h "$1/mmu-shadow/walker"
  cp -pu kernel-module/dkms.conf kernel-module/60-crosswalk.rules LICENSE "$1"
}

if [ "${1:-}" = --sources ]; then
  copy_sources "${2:?usage: build-module.sh --sources DIRECTORY}"
  exit 0
fi

version=${1:-}
if [ -z "$version" ]; then
  version=$(uname -r)
  if [ ! -e "/lib/modules/$version/build/Makefile" ]; then
    [ -e "$guest/nested/version" ] || scripts/fetch-nested.sh "$guest/nested" >&2
    version=$(cat "$guest/nested/version")
  fi
fi
# One at a time: several tests build it.
mkdir -p "$build"
exec 8>"$build/module.lock"
flock 8
headers=${HEADERS:-/lib/modules/$version/build}
if [ -z "${HEADERS:-}" ] && [ ! -e "$headers/Makefile" ]; then
  fetched=$(realpath -m "$guest")/headers/$version
  if [ ! -e "$fetched/fetched" ]; then
    log=$(mktemp)
    FETCH_ATTEMPTS=${FETCH_ATTEMPTS:-2} scripts/fetch-headers.sh "$fetched" "$version" >"$log" 2>&1 ||
      die "no headers of kernel $version: install linux-headers-$version; Debian's package cannot be fetched: $(tail -n 1 "$log")"
    rm -f "$log"
  fi
  headers=$fetched/usr/src/linux-headers-$version
fi

tree=$(realpath -m "$build/module/$version")
copy_sources "$tree"
# BTF would need pahole and the kernel's own. Kbuild may warn that the version of GCC differs a bit.
make --no-print-directory -C "$headers" M="$tree/kernel-module" CONFIG_DEBUG_INFO_BTF_MODULES= ${CHECK:+C=2 CHECK="$CHECK"} modules >"$tree/log" 2>&1 ||
  { cat "$tree/log" >&2; die "the module does not compile for kernel $version"; }
! grep -E '^[^ ]*kernel-module/[^ ]*: (warning|error):' "$tree/log" || die "warnings, see above"
strip -g -o "$tree/crosswalk.ko" "$tree/kernel-module/crosswalk.ko"
echo "$tree/crosswalk.ko"
