#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches the parts of the emulated machine of `make check-nested` from Debian's own packages: an
# amd64 kernel, its KVM modules and busybox. scripts/private-apt.sh says how apt is used.
# FETCH_ATTEMPTS limits how often it tries. usage: fetch-nested.sh DIRECTORY
set -euo pipefail
architecture=amd64
. "$(dirname "$0")/fetch-into.sh"
# One at a time: several tests fetch it, and one is enough.
exec 8>"$directory/lock"
if ! flock -n 8; then
  flock 8
  [ ! -e "$directory/fetched" ] || exit 0
fi

# The cloud kernel: a third of the generic one's size, and it has kvm-amd. It depends on the current
# versioned package.
fetch() {
  local kernel
  rm -f "$state"/packages/*.deb
  apt_update
  kernel=$(apt_cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
  [ -n "$kernel" ] || return 1
  (cd "$state/packages" && apt_get download busybox-static "$kernel")
}

again_and_again fetch

rm -rf "$state/unpacked"
mkdir -p "$state/unpacked" "$directory/modules"
for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$state/unpacked"; done
install -m 755 "$state/unpacked/bin/busybox" "$directory/busybox"
install -m 644 "$state"/unpacked/boot/vmlinuz-* "$directory/vmlinuz"
# In order of dependency; what the kernel has built in or does not need (ccp) is not there.
rm -f "$directory"/modules/*
for module in irqbypass ccp kvm kvm-amd; do
  path=$(find "$state/unpacked/lib/modules" -name "$module.ko*" | head -n 1)
  [ -n "$path" ] || continue
  case $path in *.xz) xz -dc "$path" ;; *) cat "$path" ;; esac >"$directory/modules/$module.ko"
  echo "$module" >>"$directory/modules/order"
done
grep -q '^kvm-amd$' "$directory/modules/order" || die "the kernel package holds no kvm-amd module"
basename "$state"/unpacked/boot/vmlinuz-* | sed 's/^vmlinuz-//' >"$directory/version"
rm -rf "$state/unpacked" "$state"/packages/*.deb
touch "$directory/fetched"
echo "fetch-nested: $(cat "$directory/version") is in $directory"
