#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Flash in every mode: guests that program it and run what they have programmed, with one CPU and
# with two, an ELF file that is linked there, U-Boot and UEFI up to their prompts. U-Boot boots
# Debian from a disk, from a network and from --kernel, UEFI from --kernel and by GRUB from a disk.
# Snapshots of flash. The power button, by a signal.
# Needs: crosswalk bare smp boot firmware
# Takes: 40
set -u
. tests/boot/lib.sh

bare() {
  local mode=$1 name=firmware/$1
  cp "$guest/bare/hello.bin" "$scratch/flash"
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/flash.bin" --pflash "$scratch/flash,unit=1" --timeout "$(limit 60)"
  expect_status "$name/flash" 0
  # The file has grown up to what was programmed last.
  if [ "$(stat -c %s "$scratch/flash")" = $((64 << 20)) ] && [ "$(tail -c $((256 << 10)) "$scratch/flash" | head -c 4)" = kept ]; then ok "$name/file"
  else not_ok "$name/file" "the file does not end as it was programmed"; fi
  guest_run $(mode_options "$mode") --smp 2 --kernel "$guest/smp/flash.bin" --pflash "$scratch/flash,unit=1" --timeout "$(limit 60)"
  if [ "$(tail -n 1 "$scratch/text")" = "smp: pass" ]; then expect_status "$name/smp" 0; else not_ok "$name/smp" "status $status; $(said)"; fi
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/hello-rom.elf" --timeout "$(limit 60)"
  if [ "$(cat "$scratch/text")" = "hello from bare metal" ]; then expect_status "$name/rom" 42
  else not_ok "$name/rom" "printed: $(said)"; fi
}

# talk NAME CASE OPTIONS…
talk() {
  local name=firmware/$1 case=$2
  shift 2
  if python3 tests/boot/firmware.py "$case" --images "$guest" --limit "$(limit 100)" -- "$crosswalk" run "$@" >"$scratch/text" 2>"$scratch/err"; then ok "$name"
  else not_ok "$name" "$(said 4)"; fi
}

for mode in $modes $hybrids; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "firmware/$mode" "$problem"; continue; fi
  in_parallel bare "$mode"
  in_parallel talk "$mode/snapshot" u_boot_snapshot $(mode_options "$mode")
  in_parallel talk "$mode/u-boot" u_boot_keeps_its_environment $(mode_options "$mode")
  case $mode in
    soft | mmap | hybrid | shadow) in_parallel talk "$mode/uefi" uefi_shell $(mode_options "$mode") ;;
  esac
done
in_parallel talk disk u_boot_disk
in_parallel talk network u_boot_network
in_parallel talk kernel u_boot_kernel --smp 2
in_parallel talk uefi-kernel uefi_kernel
in_parallel talk grub grub
wait

# Pressed by the first SIGTERM, and seen by a driver; without one, the second SIGTERM ends the run.
button() {
  local name=firmware/button/$1 program=$2 wanted=$3 signals=$4
  : >"$scratch/text"
  "$crosswalk" run --semihosting --on-sigterm powerbutton --kernel "$guest/bare/$program.bin" --timeout "$(limit 60)" \
    </dev/null >"$scratch/text" 2>"$scratch/err" &
  local pid=$!
  for _ in $(seq 600); do [ -s "$scratch/text" ] && break; sleep 0.1; done
  kill -TERM $pid
  if [ "$signals" = 2 ]; then
    sleep 0.5
    if ! kill -TERM $pid 2>/dev/null; then not_ok "$name" "the first signal has ended it: $(said)"; wait $pid; return; fi
  fi
  status=0
  wait $pid || status=$?
  expect_status "$name" "$wanted"
}
button pressed power_button 0 1
button unheard bad_hang 143 2

# refused NAME PATTERN OPTIONS…
refused() {
  local name=firmware/$1 pattern=$2
  shift 2
  guest_run "$@" --timeout 20
  if [ "$status" = 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -- "$pattern" "$scratch/err"; then ok "$name"
  else not_ok "$name" "exit status $status, expected 2 and '$pattern': $(said)"; fi
}
bios=$guest/firmware/u-boot.bin
truncate -s 65M "$scratch/large"
: >"$scratch/empty"
cp "$bios" "$scratch/locked"
refused too-large 'are more than the 64 MiB of a bank' --bios "$scratch/large"
refused empty 'the file is empty' --pflash "$scratch/empty"
refused both 'give one of the two' --bios "$bios" --pflash "$scratch/locked,unit=0"
refused three 'has a file already' --bios "$bios" --pflash "$scratch/locked" --pflash "$scratch/locked"
refused twice 'another guest has it open' --pflash "$scratch/locked" --pflash "$scratch/locked"
refused directory 'is a directory' --pflash "$scratch"
