#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hardware breakpoints and watchpoints as Debian's kernels offer them to debuggers and perf, in
# every mode.
# Needs: crosswalk bench
# Takes: 50
set -u
. tests/boot/lib.sh

# The program is the only one of the guest: to unpack the modules of the ordinary archive takes
# longer than all the rest.
initrd=$scratch/debugger.cpio.gz
scripts/make-initramfs.py "$initrd" dir:dev:755 nod:dev/console:600:c:5:1 nod:dev/null:666:c:1:3 "file:init:755:$guest/linux/debugger"

# debugger KERNEL MODE
debugger() {
  local name="debugger/$1/$2"
  guest_run --kernel "$guest/$1/vmlinuz" --initrd "$initrd" --memory 512M --mmu "$2" --append "console=ttyAMA0" --timeout "$(limit 280)"
  if ! grep -q 'hw-breakpoint: found 5 (+1 reserved) breakpoint and 4 watchpoint registers' "$scratch/text"; then
    not_ok "$name" "no such breakpoint registers: $(grep -a hw-breakpoint "$scratch/text" | head -n 1) $(said)"
  elif ! grep -q '^hardware breakpoints and watchpoints are right' "$scratch/text"; then
    not_ok "$name" "$(sed -n '/as init process/,$p' "$scratch/text" | grep -v '^\[' | head -n 4 | tr '\n' ' ')"
  else expect_status "$name" 0; fi
}

LIMIT=320
for mode in $modes; do
  for kernel in ${KERNELS:-armmp armmp-lpae}; do
    problem=$(mode_problem "$mode")
    if [ -n "$problem" ]; then skipped "debugger/$kernel/$mode" "$problem"; continue; fi
    in_parallel debugger "$kernel" "$mode"
  done
done
wait
