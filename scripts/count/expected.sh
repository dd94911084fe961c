#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Counts the rows that `make check` compares, and with --write writes tests/counts.expected.
# Without it, prints `ok`, `not ok` or `skipped` for each row.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
action=(--expected tests/counts.expected)
[ "${1:-}" != --write ] || action=(--write-expected tests/counts.expected)
# Of compute, what differs in kind: each row takes some 20 s. The chases are rows of bare_mmu.
compute=integer_alu,qsort_ints,matmul_float,double_arithmetic,interpreter,recursive_calls,pointer_calls,memcpy_kib
compute+=,sha256_block,string_functions,simd_shifts
common=(--crosswalk "$build/crosswalk" --images "${GUEST:-build/guest}" --tools "$build/count-tools" --jobs "${JOBS:-$(nproc)}" --no-split)
exec scripts/count/run.py "${common[@]}" --output "$build/check/counts" "${action[@]}" \
  "soft,shadow=$compute,getppid,page_touch,fork_wait,boot" soft,mmap,shadow,ept=bare_mmu,bare_translate
