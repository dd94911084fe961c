#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches U-Boot and UEFI firmware (AAVMF) for QEMU's virt machine from Debian's own packages, and
# makes GRUB for it of them.
# scripts/private-apt.sh says how apt is used. usage: fetch-firmware.sh DIRECTORY
set -euo pipefail
. "$(dirname "$0")/fetch-into.sh"

fetch() {
  rm -f "$state"/packages/*.deb
  apt_update
  (cd "$state/packages" && apt_get download u-boot-qemu qemu-efi-arm grub-efi-arm-bin)
}

again_and_again fetch

rm -rf "$state/unpacked"
mkdir -p "$state/unpacked"
for package in "$state"/packages/*.deb; do dpkg-deb -x "$package" "$state/unpacked"; done
install -m 644 "$state/unpacked/usr/lib/u-boot/qemu_arm/u-boot.bin" "$directory/u-boot.bin"
for image in CODE VARS; do
  # mostly zeros
  cp --sparse=always "$state/unpacked/usr/share/AAVMF/AAVMF32_$image.fd" "$directory/AAVMF32_$image.fd"
done
# As grub-install makes it, for the EFI system partition of a Debian: it reads /EFI/debian/grub.cfg.
grub-mkimage -O arm-efi -d "$state/unpacked/usr/lib/grub/arm-efi" -p /EFI/debian -o "$directory/grubarm.efi" \
  part_msdos part_gpt fat ext2 normal linux search configfile echo halt reboot
rm -rf "$state/unpacked" "$state"/packages/*.deb
echo "fetch-firmware: U-Boot, AAVMF and GRUB are in $directory"
