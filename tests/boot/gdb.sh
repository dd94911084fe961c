#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A GDB on the host (--gdb, --wait): gdb-multiarch with a guest of two CPUs in every mode, with
# Debian's kernel from its first instruction to the shell, and a client that disconnects and sends
# nonsense.
# Needs: crosswalk smp symbols
# Takes: 40
set -u
. tests/boot/lib.sh
program=$guest/smp/debugged
address_of() { arm-none-eabi-nm "$program.elf" | sed -n "s/ [A-Z] $1\$//p"; }

# start ARGUMENTS…: a guest that waits for a debugger at $scratch/socket; its process is $job.
start() {
  timeout -s KILL "$(limit 150)" "$crosswalk" run "$@" --gdb "unix:$scratch/socket" --timeout "$(limit 100)" </dev/null >"$scratch/out" 2>"$scratch/err" &
  job=$!
  while [ ! -S "$scratch/socket" ] && kill -0 $job 2>/dev/null; do sleep 0.05; done # its own limit ends it
}
# finish: waits for it; $status and $scratch/text as after guest_run.
finish() {
  status=0
  wait $job || status=$?
  tr -d '\r' <"$scratch/out" >"$scratch/text"
}
# debug SYMBOLS COMMANDS: gdb-multiarch does what tests/boot/COMMANDS.gdb says. What it prints with
# @ in front is to be that of COMMANDS.expected; $difference has the rest.
debug() {
  timeout -s KILL "$(limit 120)" gdb-multiarch -nx -batch -iex 'set architecture armv7' "$1" -ex "target remote $scratch/socket" \
    -x "tests/boot/$2.gdb" </dev/null >"$scratch/gdb" 2>&1
  difference=$(grep '^@' "$scratch/gdb" | diff - "tests/boot/$2.expected" 2>&1)
}

# several MODE
several() {
  local name="gdb/$1/smp"
  start $(mode_options "$1") --smp 2 --wait --kernel "$program.bin"
  debug "$program.elf" gdb_smp
  finish
  if [ -n "$difference" ]; then not_ok "$name" "$(echo "$difference" | head -n 4 | tr '\n' ' '); $(tail -n 2 "$scratch/gdb" | tr '\n' ' ')"
  elif ! grep -q '^result 42008$' "$scratch/text"; then not_ok "$name" "$(said)"
  else expect_status "$name" 0; fi
}

# client MODE
client() {
  local name="gdb/$1/client" problem
  start $(mode_options "$1") --smp 2 --wait --kernel "$program.bin" --append spin=1
  if ! problem=$(timeout -s KILL "$(limit 100)" tests/boot/gdb_client.py "$scratch/socket" "$scratch/out" "$(address_of spin)" "$(address_of released)" 2>&1); then
    kill -KILL $job 2>/dev/null
    finish
    not_ok "$name" "$(tail -n 1 <<<"$problem"); $(said)"
    return
  fi
  finish
  expect_status "$name" 0
}

# linux MODE
linux() {
  local name="gdb/$1/linux"
  start $(mode_options "$1") --smp 2 --wait --kernel "$guest/armmp/vmlinuz" --initrd "$guest/initrd-armmp.gz" \
    --append 'console=ttyAMA0 quiet -- uname -m'
  debug "$guest/armmp/symbols.elf" gdb_linux
  finish
  if [ -n "$difference" ]; then not_ok "$name" "$(echo "$difference" | head -n 4 | tr '\n' ' '); $(tail -n 2 "$scratch/gdb" | tr '\n' ' ')"
  elif ! grep -q '^armv7l' "$scratch/text"; then not_ok "$name" "$(said)"
  else expect_status "$name" 0; fi
}

for mode in $modes flat $hybrids; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "gdb/$mode" "$problem"; continue; fi
  in_parallel several "$mode"
done
for mode in soft mmap; do in_parallel client "$mode"; done
in_parallel linux "${END_MODE:-auto}"
wait
