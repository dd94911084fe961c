#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzzer of tests/fuzz for FUZZ_SECONDS: what is in its corpus, and a little beyond. `make
# fuzz` runs one for longer.
# Needs: fuzzers
# Takes: 100
set -u
. tests/boot/lib.sh
BUILD=$build/asan
export BUILD
for corpus in tests/fuzz/corpus/*; do in_parallel scripts/fuzz.sh "$(basename "$corpus")" "${FUZZ_SECONDS:-10}"; done
wait
