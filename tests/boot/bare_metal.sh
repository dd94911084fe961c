#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bare-metal guests in every mode: ELF and raw binaries, exit codes, and guests that misbehave by
# intent.
# Needs: crosswalk bare
# Takes: 60
set -u
. tests/boot/lib.sh

printf 'crosswalk disk' >"$scratch/disk.img"
truncate -s 1M "$scratch/disk.img"

for mode in $modes flat $hybrids; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "bare_metal/$mode" "$problem"; continue; fi
  for image in hello.elf hello.bin; do
    guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/$image" --timeout "$(limit 60)"
    name="bare_metal/$mode/$image"
    if [ "$(cat "$scratch/text")" = "hello from bare metal" ]; then expect_status "$name" 42
    else not_ok "$name" "printed: $(said)"; fi
  done
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/debug_events.bin" --timeout 30
  expect_status "bare_metal/$mode/debug_events" 0
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/timekeeping.bin" --timeout 60
  expect_status "bare_metal/$mode/timekeeping" 0
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/alignment.bin" --timeout 60
  if [ "$mode" = flat ]; then
    # How it goes on, with the MMU on, is not for this mode.
    name="bare_metal/$mode/alignment"
    if grep -q '^MMU off: aligned' "$scratch/text" && grep -q 'turned its MMU on, which --mmu flat ignores' "$scratch/err"; then ok "$name"
    else not_ok "$name" "printed: $(said)"; fi
    continue
  fi
  expect_status "bare_metal/$mode/alignment" 0
  for options in '' '--no-recycle --no-mixed-pages --no-relocate'; do
    guest_run --semihosting $(mode_options "$mode") $options --kernel "$guest/bare/bench_code_pages.bin" --timeout "$(limit 60)"
    expect_status "bare_metal/$mode/code_pages$options" 0
  done
  for program in bad_jump bad_tables; do
    guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/$program.bin" --timeout "$(limit 60)"
    expect_status "bare_metal/$mode/$program" 0
  done
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/bad_dma.bin" --disk "$scratch/disk.img" --timeout "$(limit 60)"
  expect_status "bare_metal/$mode/bad_dma" 0
  guest_run --semihosting $(mode_options "$mode") --kernel "$guest/bare/bad_hang.bin" --timeout 3
  expect_status "bare_metal/$mode/bad_hang" "${TIMEOUT_STATUS:-4}"
done
