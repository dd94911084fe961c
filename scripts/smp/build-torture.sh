#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the kernel's torture tests (torture, locktorture, rcutorture, scftorture) as modules for
# Debian's ARM kernels, which have none: from the same version's sources and headers, in
# DIRECTORY/VERSION. scripts/private-apt.sh says how packages are fetched. usage: build-torture.sh
# DIRECTORY VERSION… (as 6.1.0-50-armmp); SOURCE names kernel sources to use instead of Debian's.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage="usage: build-torture.sh DIRECTORY VERSION…"
directory=${1:?$usage}
shift
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
versions=("$@")
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
tree=$directory/tree
modules=(torture locktorture rcutorture scftorture)

die() { echo "build-torture: $*" >&2; exit 1; }

headers=()
for version in "${versions[@]}"; do headers+=("linux-headers-$version"); done
headers+=("$(sed -E 's/-armmp.*/-common/' <<<"linux-headers-${versions[0]}")")
fetch_headers() {
  rm -f "$state"/packages/*.deb
  apt_update
  (cd "$state/packages" && apt_get download "${headers[@]}")
}
# The programs that build modules run on this machine.
fetch_native() {
  rm -f "$state"/packages/*.deb
  apt_update
  local wanted=(linux-kbuild-6.1)
  [ -n "${SOURCE:-}" ] || wanted+=(linux-source-6.1)
  (cd "$state/packages" && apt_get download "${wanted[@]}")
}
rm -rf "$tree"
mkdir -p "$tree"
(
  state=$directory/apt-armhf architecture=armhf
  . scripts/private-apt.sh
  again_and_again fetch_headers
  for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$tree"; done
)
(
  state=$directory/apt-native architecture=$(dpkg --print-architecture)
  . scripts/private-apt.sh
  again_and_again fetch_native
  for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$tree"; done
)
source=${SOURCE:-$tree/source}
if [ -z "${SOURCE:-}" ]; then
  mkdir "$source"
  tar -xf "$tree/usr/src/linux-source-6.1.tar.xz" -C "$source" --strip-components=1 --wildcards '*/kernel/torture.c' '*/kernel/scftorture.c' \
    '*/kernel/locking/locktorture.c' '*/kernel/rcu/rcutorture.c' '*/kernel/rcu/rcu.h'
fi

for version in "${versions[@]}"; do
  headers=$tree/usr/src/linux-headers-$version
  # Its Makefile names the place where the package would be installed.
  sed -i -E "s#^(include |KBUILD_OUTPUT *:?= *)/usr/src/#\1$tree/usr/src/#" "$headers/Makefile"
  work=$tree/work/$version
  mkdir -p "$work/rcu"
  cp "$source"/kernel/{torture,scftorture,locking/locktorture,rcu/rcutorture}.c "$work/"
  cp "$source/kernel/rcu/rcu.h" "$work/rcu/"
  cp "$source/kernel/rcu/rcu.h" "$work/"
  # The sources may be newer by a few updates than the kernel, and it exports for a torture test
  # that was not configured less than for one that was.
  cat >"$work/adapt.h" <<'H'
#include <linux/cpumask.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#define rcu_momentary_eqs rcu_momentary_dyntick_idle
static inline long rcutorture_sched_setaffinity(pid_t pid, const struct cpumask* mask) {
  return set_cpus_allowed_ptr(current, mask);
}
H
  {
    echo "ccflags-y += -I$work -include $work/adapt.h"
    echo "obj-m := ${modules[*]/%/.o}"
  } >"$work/Kbuild"
  make -s -C "$headers" M="$work" ARCH=arm CROSS_COMPILE=arm-linux-gnueabihf- CC=arm-linux-gnueabihf-gcc modules
  mkdir -p "$directory/$version"
  for module in "${modules[@]}"; do
    arm-linux-gnueabihf-strip --strip-debug -o "$directory/$version/$module.ko" "$work/$module.ko"
  done
done
rm -rf "$tree" "$directory"/apt-*/packages/*.deb
echo "build-torture: modules for ${versions[*]} are in $directory"
