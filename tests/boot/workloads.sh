#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every benchmark workload checks its own result: a short run of each, and of Debian's programs, in every mode is a test.
set -u
. tests/boot/lib.sh

# bench MODE OPTIONS...
bench() {
  local mode=$1
  shift
  timeout -s KILL 600 "$crosswalk" bench --mmu "$mode" --images "$guest" --repeat 1 --timeout "${BOOT_LIMIT:-280}" "$@" \
    >"$scratch/text" 2>"$scratch/err"
}

workloads() {
  local mode=$1 status=0
  bench "$mode" --milliseconds 3 || status=$?
  if [ "$status" != 0 ]; then not_ok "workloads/$mode" "status $status: $(grep -v 'run [0-9]* of' "$scratch/err" | tail -n 3 | tr '\n' ' ')"
  elif ! grep -q '^fork_exec_wait .*s' "$scratch/text" || ! grep -q '^mmu_data_abort .*s' "$scratch/text"; then
    not_ok "workloads/$mode" "rows are missing: $(said 4)"
  else ok "workloads/$mode"; fi
}

programs() {
  local mode=$1 status=0
  bench "$mode" --workloads program_bzip2,program_sqlite3,program_python3,openssl_sha256_8k --slices 2 --memory 512M || status=$?
  if [ "$status" != 0 ]; then not_ok "programs/$mode" "status $status: $(grep -v 'run [0-9]* of' "$scratch/err" | tail -n 3 | tr '\n' ' ')"
  elif ! grep -q '^openssl_sha256_8k .*s' "$scratch/text"; then not_ok "programs/$mode" "rows are missing: $(said 4)"
  else ok "programs/$mode"; fi
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then
    skipped "workloads/$mode" "$problem"
    skipped "programs/$mode" "$problem"
    continue
  fi
  in_parallel workloads "$mode"
  in_parallel programs "$mode"
done
wait
