#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every benchmark workload checks its own result: a short run of each in every mode is a test.
set -u
. tests/boot/lib.sh

workloads() {
  local mode=$1 status=0
  timeout -s KILL 600 "$crosswalk" bench --mmu "$mode" --images "$guest" --repeat 1 --milliseconds 3 --timeout "${BOOT_LIMIT:-280}" \
    >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" != 0 ]; then not_ok "workloads/$mode" "status $status: $(grep -v 'run [0-9]* of' "$scratch/err" | tail -n 3 | tr '\n' ' ')"
  elif ! grep -q '^fork_exec_wait .*s' "$scratch/text" || ! grep -q '^mmu_data_abort .*s' "$scratch/text"; then
    not_ok "workloads/$mode" "rows are missing: $(said 4)"
  else ok "workloads/$mode"; fi
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "workloads/$mode" "$problem"; continue; fi
  in_parallel workloads "$mode"
done
wait
