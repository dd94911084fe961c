#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bare-metal guests with several CPUs in every mode. SMP_CPUS="2 4 8" are the numbers of CPUs,
# SMP_SCALE=N multiplies the work (some 100 are a minute), SMP_ARGUMENTS are more words for the
# programs, SMP_PROGRAMS selects some.
# Needs: crosswalk smp
# Takes: 100
# Alone: the guests' CPUs are to run at the same time
set -u
. tests/boot/lib.sh

for mode in $modes $hybrids; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "smp/$mode" "$problem"; continue; fi
  for cpus in ${SMP_CPUS:-2 4}; do
    for program in ${SMP_PROGRAMS:-litmus exclusives shootdown code_changes power costs}; do
      name="smp/$mode/$program/$cpus"
      LIMIT=$((150 * ${SMP_SCALE:-1})) guest_run $(mode_options "$mode") --smp "$cpus" --kernel "$guest/smp/$program.bin" \
        --append "scale=${SMP_SCALE:-1} ${SMP_ARGUMENTS:-}" --timeout "$(limit $((60 * ${SMP_SCALE:-1})))"
      if [ "$(head -n 1 "$scratch/text")" != "smp: cpus $cpus, scale ${SMP_SCALE:-1}" ]; then not_ok "$name" "status $status; $(said)"
      elif [ "$(tail -n 1 "$scratch/text")" != "smp: pass" ]; then not_ok "$name" "status $status; $(said 4)"
      else expect_status "$name ($(sed -n 's/^smp: ms //p' "$scratch/text") ms)" 0
      fi
    done
  done
done
