#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make boot ROOT=1`: Debian boots to a login, systemd runs without a failed unit, ssh by the
# forwarded port, apt installs a package from a mirror on this machine, poweroff ends the guest. The
# image is a copy of the user's. Nothing leaves this machine.
# Needs: crosswalk debian
set -u
. tests/boot/lib.sh
export CROSSWALK=$crosswalk GUEST=$guest

# refuses NAME PATTERN VARIABLE=VALUE…: of scripts/boot.sh
refuses() {
  local name=root/$1 pattern=$2
  shift 2
  status=0
  env "$@" scripts/boot.sh </dev/null >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ $status = 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -- "$pattern" "$scratch/err"; then ok "$name"
  else not_ok "$name" "status $status; $(said)"; fi
}
refuses command-and-root "CMD is for the busybox guest" ROOT=1 CMD=true
refuses installer-and-root "ROOT needs KERNEL=armmp" ROOT=1 KERNEL=installer
refuses ssh-alone "SSH=2222 needs ROOT=1" SSH=2222
refuses ssh-no-port "SSH='here' is no port" ROOT=1 SSH=here
refuses ssh-no-network "SSH=2222 needs NET=user" ROOT=1 SSH=2222 NET=none

# A package, and a mirror of it alone.
mkdir -p "$scratch"/{package/DEBIAN,package/usr/bin,mirror}
printf 'Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: says that it is there\n' >"$scratch/package/DEBIAN/control"
printf '#!/bin/sh\necho tiny is there\n' >"$scratch/package/usr/bin/tiny"
chmod 755 "$scratch/package/usr/bin/tiny"
dpkg-deb --root-owner-group -b "$scratch/package" "$scratch/mirror/tiny.deb" >/dev/null
{
  dpkg-deb -f "$scratch/mirror/tiny.deb"
  printf 'Filename: ./tiny.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s "$scratch/mirror/tiny.deb")" "$(sha256sum <"$scratch/mirror/tiny.deb" | cut -d ' ' -f 1)"
} >"$scratch/mirror/Packages"
cp --sparse=always --reflink=auto "$guest/debian.ext4" "$scratch/debian.ext4"
ROOT=1 ROOT_IMAGE=$scratch/debian.ext4 python3 tests/boot/root.py --key "$guest/debian-key" --mirror "$scratch/mirror" --limit "$(limit 300)" 2>"$scratch/err" ||
  not_ok root/run "$(tail -n 3 "$scratch/err" | tr '\n' ' ')"
