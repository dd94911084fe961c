#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh NAME SECONDS: runs the fuzzer $BUILD/fuzz/NAME on the inputs of tests/fuzz/corpus/NAME and
# on those that it has found before, which are in $BUILD/fuzz/NAME.work with its log and whatever it
# trips over. Prints one line: `ok fuzz/NAME …` or `not ok fuzz/NAME: …`. A newly found input that
# shows something belongs in the corpus.
set -u
cd "$(dirname "$0")/.."
. scripts/limits.sh
name=$1 seconds=$2
program=$(realpath "${BUILD:-build/asan}")/fuzz/$name
corpus=$(realpath "tests/fuzz/corpus/$name") || exit 2
work=$program.work
mkdir -p "$work/corpus" "$work/files"
rm -f "$work"/crash-* "$work"/timeout-* "$work"/oom-* "$work"/leak-*
# In a folder of its own: `options` makes files there. Without entropic, which is slow for the many
# features of `translate`.
cd "$work/files" || exit 2
status=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
"$program" -max_total_time="$seconds" -timeout="$(limit 30)" -rss_limit_mb=3000 -max_len=4096 -entropic=0 -print_funcs=0 -print_final_stats=1 \
  -artifact_prefix="$work/" "$work/corpus" "$corpus" </dev/null >"$work/log" 2>&1 || status=$?
rm -rf "$work/files"
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
if [ $status = 0 ] && [ "${runs:-0}" -gt 0 ]; then
  echo "ok fuzz/$name ($runs executions, coverage $(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$work/log" | tail -n 1))"
else
  input=$(ls "$work" | grep -E '^(crash|timeout|oom|leak)-' | head -n 1)
  echo "not ok fuzz/$name: $(grep -m 1 -E 'runtime error|ERROR: |Assertion|terminate' "$work/log" | head -c 300); status $status; input $work/$input, log $work/log"
  exit 1
fi
