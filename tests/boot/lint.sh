#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-format of all sources; clang-tidy of the lines that the last commit or the working tree
# changes, for as long as the limit of this script allows. `make lint` looks at all.
# Needs: lint
# Takes: 40
set -u
. tests/boot/lib.sh

for tool in clang-format clang-tidy; do
  command -v $tool >/dev/null || { skipped lint "$tool is not installed"; exit; }
done
base=${LINT_BASE:-HEAD~1}
# A checkout of one commit has none before.
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || base=HEAD
scripts/lint.py --build "$build" --seconds 120 --changed "$base"

# What is wrong is found, and only once what is right has been seen.
mkdir -p "$scratch/lint"
cp .clang-tidy "$scratch/lint/"
cat >"$scratch/lint/wrong.cc" <<'CODE'
int* wrong();
int* wrong() { return 0; }
CODE
printf '[{"directory": "%s", "file": "%s", "arguments": ["g++", "-c", "%s"]}]\n' "$PWD" "$scratch/lint/wrong.cc" "$scratch/lint/wrong.cc" \
  >"$scratch/compile_commands.json"
if scripts/lint.py --build "$scratch" "$scratch/lint/wrong.cc" >"$scratch/text" 2>"$scratch/err"; then not_ok lint/finds "status 0"
elif grep -q 'modernize-use-nullptr' "$scratch/text"; then ok lint/finds
else not_ok lint/finds "$(said 4)"; fi
