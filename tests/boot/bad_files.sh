#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Corrupted kernels, initrds and device trees, and a disk that vanishes: a clear error or a guest
# fault each time.
# Needs: crosswalk boot bare
# Takes: 50
set -u
. tests/boot/lib.sh
mode=${END_MODE:-auto}
reset=${RESET_STATUS:-3} timed_out=${TIMEOUT_STATUS:-4} bad=${BAD_STATUS:-2}
kernel=$guest/armmp/vmlinuz initrd=$guest/initrd-armmp.gz
linux() { guest_run --mmu "$mode" --append "console=ttyAMA0 quiet panic=-1" "$@"; }
# expect_refused NAME: one clear line on stderr and status 2
expect_refused() {
  if [ "$status" = "$bad" ] && [ "$(wc -l <"$scratch/err")" != 1 ]; then not_ok "$1" "not one line on stderr: $(said)"
  else expect_status "$1" "$bad"; fi
}

# A corrupted kernel: the decompressor finds it and halts, or the kernel goes wrong in its own way.
cp "$kernel" "$scratch/kernel"
head -c 65536 /dev/zero | dd of="$scratch/kernel" bs=64k seek=30 conv=notrunc 2>/dev/null
linux --kernel "$scratch/kernel" --initrd "$initrd" --timeout 8
expect_status bad_files/corrupted-kernel "$timed_out" "$reset"
head -c 1000000 "$kernel" >"$scratch/kernel"
linux --kernel "$scratch/kernel" --initrd "$initrd" --timeout 8
expect_status bad_files/truncated-kernel "$bad" "$timed_out" "$reset"
# The same stream of "random" bytes each time, as a raw binary.
awk 'BEGIN { s = 1; for (i = 0; i < 300000; i++) { s = (s * 1103515245 + 12345) % 2147483648; printf "%c", 1 + int(s / 65536) % 127 } }' >"$scratch/kernel"
linux --kernel "$scratch/kernel" --timeout 5
expect_status bad_files/random-kernel "$timed_out" "$reset" 0
: >"$scratch/kernel"
linux --kernel "$scratch/kernel" --timeout 5
expect_refused bad_files/empty-kernel
# ELF headers that lie: program headers beyond the end, a segment larger than the file, an entry of
# another machine.
for lie in 28:ffffff7f 44:3075 18:3e00; do
  cp "$guest/bare/hello.elf" "$scratch/kernel"
  printf "$(echo "${lie#*:}" | sed 's/../\\x&/g')" | dd of="$scratch/kernel" bs=1 seek="${lie%:*}" conv=notrunc 2>/dev/null
  linux --kernel "$scratch/kernel" --timeout 5
  expect_refused "bad_files/elf-header-$lie"
done

head -c 500000 "$initrd" >"$scratch/initrd"
linux --kernel "$kernel" --initrd "$scratch/initrd" --timeout "$(limit 60)"
expect_status bad_files/truncated-initrd "$reset"
head -c 100000 "$kernel" | tail -c 50000 >"$scratch/initrd"
linux --kernel "$kernel" --initrd "$scratch/initrd" --timeout "$(limit 60)"
expect_status bad_files/initrd-of-rubbish "$reset"

# Not a device tree; a device tree cut short; one of a machine without anything.
head -c 4096 "$kernel" >"$scratch/dtb"
linux --kernel "$kernel" --initrd "$initrd" --dtb "$scratch/dtb" --timeout 8
expect_refused bad_files/dtb-of-rubbish
printf '/dts-v1/;\n/ { #address-cells = <1>; #size-cells = <1>; compatible = "none,none"; model = "none"; chosen {}; };\n' |
  dtc -q -I dts -O dtb -o "$scratch/dtb" -
linux --kernel "$kernel" --initrd "$initrd" --dtb "$scratch/dtb" --timeout 8
expect_status bad_files/dtb-of-nothing "$timed_out" "$reset"
head -c 60 "$scratch/dtb" >"$scratch/short"
linux --kernel "$kernel" --initrd "$initrd" --dtb "$scratch/short" --timeout 8
expect_refused bad_files/truncated-dtb

# A disk that vanishes under the guest: the guest sees errors, and the command's own exit status
# still arrives.
export CMD='for d in /dev/vd?; do [ "$(cat /sys/block/${d##*/}/size)" = 32768 ] && disk=$d; done; dd if=$disk of=/dev/null bs=1M 2>/dev/null || exit 1
  echo disk-is-ready; while :; do echo 3 >/proc/sys/vm/drop_caches; dd if=$disk of=/dev/null bs=1M 2>/dev/null || { echo disk-is-gone; exit 9; }; sleep 0.2; done'
truncate -s 16M "$scratch/disk"
: >"$scratch/out"
DISK=$scratch/disk KERNEL=armmp MMU=$mode TIMEOUT="$(limit 60)" CROSSWALK=$crosswalk timeout -s KILL "$(limit 120)" scripts/boot.sh </dev/null >"$scratch/out" 2>"$scratch/err" &
job=$!
while ! grep -q disk-is-ready "$scratch/out" && kill -0 $job 2>/dev/null; do sleep 0.2; done # its own limit ends it
truncate -s 0 "$scratch/disk"
rm "$scratch/disk"
status=0
wait $job || status=$?
tr -d '\r' <"$scratch/out" >"$scratch/text"
expect_status bad_files/vanishing-disk 9
