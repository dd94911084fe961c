#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every benchmark workload checks its own result: a short run of each, and of Debian's programs, in
# every mode is a test.
# Needs: crosswalk bench rootfs
# Takes: 150
set -u
. tests/boot/lib.sh

# bench NAME MODE ROWS OPTIONS...: the last of the rows that it prints are there.
bench() {
  local name=$1/$2 mode=$2 rows=$3 row status=0
  shift 3
  timeout -s KILL "$(limit 600)" "$crosswalk" bench --mmu "$mode" --images "$guest" --repeat 1 --timeout "$(limit "${BOOT_LIMIT:-280}")" "$@" \
    >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" != 0 ]; then
    not_ok "$name" "status $status: $(grep -v 'run [0-9]* of' "$scratch/err" | tail -n 3 | tr '\n' ' ')"
    return
  fi
  for row in $rows; do
    if ! grep -q "^$row .*s" "$scratch/text"; then not_ok "$name" "no row $row: $(said 4)"; return; fi
  done
  ok "$name"
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then
    skipped "workloads/$mode" "$problem"
    skipped "programs/$mode" "$problem"
    continue
  fi
  # soft-call takes ten times as long for each.
  programs=(openssl_sha256_8k --slices 2 --memory 512M --workloads program_bzip2,program_sqlite3,program_python3,openssl_sha256_8k)
  slices=3
  if [ "$mode" = soft-call ]; then
    programs=(program_sqlite3 --slices 1 --memory 512M --workloads program_sqlite3)
    slices=1
  fi
  in_parallel bench workloads "$mode" "fork_exec_wait mmu_data_abort" --milliseconds 3 --slices $slices
  in_parallel bench programs "$mode" "${programs[@]}"
done
wait
