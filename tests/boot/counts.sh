#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions per operation on nested paging, compared with tests/counts.expected: more than 2 %
# worse fails.
# Needs: counts
# Takes: 200
set -u
. tests/boot/lib.sh
status=0
python3 tests/scripts/count_test.py >"$scratch/text" 2>"$scratch/err" || status=$?
if [ "$status" = 0 ]; then ok counts/parts; else not_ok counts/parts "$(grep -E '^(ERROR|FAIL|[A-Za-z]*Error)' "$scratch/err" | tr '\n' ' ' | head -c 400)"; fi
command -v qemu-system-x86_64 >/dev/null || { skipped counts "qemu-system-x86_64 is not installed (Debian package qemu-system-x86)"; exit 0; }
if [ ! -e "$guest/nested/fetched" ] && ! FETCH_ATTEMPTS=${FETCH_ATTEMPTS:-2} scripts/fetch-nested.sh "$guest/nested" >"$scratch/fetch" 2>&1; then
  skipped counts "the machine's kernel cannot be fetched: $(tail -n 1 "$scratch/fetch")"
  exit 0
fi
scripts/count/expected.sh >"$scratch/text" 2>"$scratch/err"
status=$?
grep -E '^(ok|not ok|skipped) ' "$scratch/text"
if ! grep -qE '^(ok|not ok|skipped) ' "$scratch/text"; then not_ok counts "status $status; $(said 3)"
elif [ "$status" != 0 ] && ! grep -q '^not ok' "$scratch/text"; then not_ok counts/cells "$(grep failed "$scratch/err" | head -n 2 | tr '\n' ' ')"
fi
