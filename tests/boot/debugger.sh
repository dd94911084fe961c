#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hardware breakpoints and watchpoints as Debian's kernels offer them to debuggers and perf, in every mode.
set -u
. tests/boot/lib.sh

# debugger KERNEL MODE
debugger() {
  local name="debugger/$1/$2"
  cat "$guest/initrd-$1.gz" "$archive" >"$scratch/initrd.gz"
  guest_run --kernel "$guest/$1/vmlinuz" --initrd "$scratch/initrd.gz" --memory 512M --mmu "$2" --append "console=ttyAMA0" --timeout 120
  if ! grep -q 'hw-breakpoint: found 5 (+1 reserved) breakpoint and 4 watchpoint registers' "$scratch/text"; then
    not_ok "$name" "the kernel found other registers: $(grep -a hw-breakpoint "$scratch/text" | head -n 1)"
  elif ! grep -q '^hardware breakpoints and watchpoints are right' "$scratch/text"; then
    not_ok "$name" "$(sed -n '/first user-space output/,$p' "$scratch/text" | grep -v '^\[' | sed 1d | head -n 4 | tr '\n' ' ')"
  else expect_status "$name" 0; fi
}

printf /debugger >"$scratch/command"
archive=$scratch/debugger.cpio.gz
scripts/make-initramfs.py "$archive" "file:debugger:755:$guest/linux/debugger" "file:command:644:$scratch/command"
for mode in $modes; do
  for kernel in ${KERNELS:-armmp armmp-lpae}; do
    problem=$(mode_problem "$mode")
    if [ -n "$problem" ]; then skipped "debugger/$kernel/$mode" "$problem"; continue; fi
    in_parallel debugger "$kernel" "$mode"
  done
done
wait
