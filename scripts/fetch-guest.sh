#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches Debian's ARM kernels, initrd and busybox from Debian's own packages into build/guest/.
# scripts/private-apt.sh says how apt is used.
# usage: fetch-guest.sh DIRECTORY
set -euo pipefail
. "$(dirname "$0")/fetch-into.sh"

# linux-image-armmp depends on the current versioned package.
kernel_package() { apt_cache depends "linux-image-$1" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }'; }

fetch() {
  rm -f "$state"/packages/*.deb
  apt_update
  local armmp lpae
  armmp=$(kernel_package armmp) && lpae=$(kernel_package armmp-lpae) || return 1
  [ -n "$armmp" ] && [ -n "$lpae" ] || return 1
  echo "$armmp" >"$state/armmp" && echo "$lpae" >"$state/armmp-lpae"
  (cd "$state/packages" && apt_get download busybox-static debian-installer-12-netboot-armhf "$armmp" "$lpae")
}

again_and_again fetch

# unpack PATTERN DESTINATION [FILE...]: what the package holds, or only some files of it
unpack() {
  local package destination=$2
  package=$(echo "$state"/packages/$1)
  shift 2
  mkdir -p "$destination"
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$destination" --wildcards "$@"
}

rm -rf "$state/unpacked"
unpack 'busybox-static_*.deb' "$state/unpacked/busybox"
install -m 755 "$state/unpacked/busybox/bin/busybox" "$directory/busybox"

unpack 'debian-installer-12-netboot-armhf_*.deb' "$state/unpacked/installer" '*/vmlinuz' '*/initrd.gz'
mkdir -p "$directory/installer"
find "$state/unpacked/installer" -name vmlinuz -exec install -m 644 {} "$directory/installer/vmlinuz" \;
find "$state/unpacked/installer" -name initrd.gz -exec install -m 644 {} "$directory/installer/initrd.gz" \;
[ -s "$directory/installer/vmlinuz" ] && [ -s "$directory/installer/initrd.gz" ] || die "the installer package holds no vmlinuz or initrd.gz"

for flavour in armmp armmp-lpae; do
  package=$(cat "$state/$flavour")
  version=${package#linux-image-}
  tree=$state/unpacked/$flavour
  unpack "${package}_*.deb" "$tree" "./boot/vmlinuz-$version" "./boot/config-$version"
  mkdir -p "$directory/$flavour"
  install -m 644 "$tree/boot/vmlinuz-$version" "$directory/$flavour/vmlinuz"
  install -m 644 "$tree/boot/config-$version" "$directory/$flavour/config"
  echo "$version" >"$directory/$flavour/version"
  # The modules that /init loads, in order of dependency; those built into the kernel are not there.
  modules=(virtio virtio_ring virtio_mmio virtio_blk rng-core virtio-rng virtio_console crc16 crc32c_generic mbcache jbd2 ext4)
  rm -rf "$directory/$flavour/modules"
  "$(dirname "$0")/unpack-modules.sh" "$directory" "$flavour" "$directory/$flavour/modules" "${modules[@]/#/?}"
  for module in "${modules[@]}"; do [ ! -f "$directory/$flavour/modules/$module.ko" ] || echo "$module"; done >"$directory/$flavour/modules/order"
done
rm -rf "$state/unpacked"
echo "fetch-guest: $(cat "$directory/armmp/version"), $(cat "$directory/armmp-lpae/version") and the installer are in $directory"
