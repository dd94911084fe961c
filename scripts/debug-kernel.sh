#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the kernel of `make check-module-debug` from Debian's linux-source, with what
# tests/kernel-module/debug.config names: KASAN, lockdep, kmemleak and more. It runs in the emulated
# machine only. DIRECTORY then has the same as that of scripts/fetch-nested.sh, and its sources and
# objects in linux/, which building the module needs. Does nothing if all is there. FETCH_ATTEMPTS
# limits how often it tries. usage: debug-kernel.sh DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
directory=${1:?usage: debug-kernel.sh DIRECTORY}
source=linux-source-6.1
config=$PWD/tests/kernel-module/debug.config
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
linux=$directory/linux
state=$directory/apt
architecture=amd64

die() { echo "debug-kernel: $*" >&2; exit 1; }

fetch() {
  rm -f "$state"/packages/*.deb
  apt_update
  (cd "$state/packages" && apt_get download busybox-static "$source")
}

fetch_sources() {
  . scripts/private-apt.sh
  again_and_again fetch
  rm -rf "$state/unpacked" "$linux"
  mkdir -p "$state/unpacked" "$linux"
  for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$state/unpacked"; done
  install -m 755 "$state/unpacked/bin/busybox" "$directory/busybox"
  tar -xf "$state/unpacked/usr/src/$source.tar.xz" -C "$linux" --strip-components=1
  # Linux 6.2 has it for x86-64 too, with the same code.
  sed -i '/^config FAULT_INJECTION_STACKTRACE_FILTER/,/help/ { /depends on !X86_64/d }' "$linux/lib/Kconfig.debug"
  rm -rf "$state/unpacked" "$state"/packages/*.deb
  echo "$source" >"$directory/source"
}

kernel_make() { nice -n 10 make -C "$linux" -j"$(nproc)" --no-print-directory ARCH=x86_64 KBUILD_BUILD_HOST=crosswalk "$@"; }

# allnoconfig leaves out what depends on something that is not set.
configure() {
  local wanted missing=
  kernel_make KCONFIG_ALLCONFIG="$config" allnoconfig
  while read -r wanted; do
    grep -qxF "$wanted" "$linux/.config" || missing+=" $wanted"
  done < <(grep '^CONFIG_' "$config")
  [ -z "$missing" ] || die "the configuration lacks$missing"
}

# In order of dependency, as scripts/fetch-nested.sh has them.
collect() {
  local module path
  install -m 644 "$linux/arch/x86/boot/bzImage" "$directory/vmlinuz"
  rm -rf "$directory/modules"
  mkdir "$directory/modules"
  for module in irqbypass kvm kvm-amd; do
    path=$(find "$linux/arch/x86/kvm" "$linux/virt" -name "$module.ko")
    [ -n "$path" ] || die "$module was not built"
    install -m 644 "$path" "$directory/modules/$module.ko"
    echo "$module" >>"$directory/modules/order"
  done
  cat "$linux/include/config/kernel.release" >"$directory/version"
}

if cmp -s "$config" "$directory/fetched"; then exit 0; fi
scripts/install-packages.sh --packages make gcc flex bison bc libelf-dev xz-utils
rm -f "$directory/fetched"
[ "$(cat "$directory/source" 2>/dev/null)" = "$source" ] || fetch_sources
configure
kernel_make bzImage modules
collect
cp "$config" "$directory/fetched"
echo "debug-kernel: $(cat "$directory/version") is in $directory"
