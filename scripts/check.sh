#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every GoogleTest program given and every system test in tests/boot, and ends with one line that counts them:
# `N passed, N failed, N skipped`. Exit status 0 only when something passed and nothing failed.
# ONLY=PATTERN runs the programs and scripts whose name contains it.
set -u
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build} GUEST=${GUEST:-build/guest}
results=$BUILD/check
mkdir -p "$results"
passed=0 failed=0 skips=0
failures=()

# Counts of a GoogleTest result file: passed, failed, skipped.
count_gtest() {
  python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
passed = failed = skipped = 0
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") == "notrun":
        continue
    if case.find("failure") is not None:
        failed += 1
    elif case.find("skipped") is not None or case.get("result") == "skipped":
        skipped += 1
    else:
        passed += 1
print(passed, failed, skipped)
PYTHON
}

for program in "$@"; do
  name=$(basename "$program")
  case $name in *${ONLY:-}*) ;; *) continue ;; esac
  rm -f "$results/$name.xml"
  echo "== $name"
  start=$SECONDS
  timeout -s KILL "${PROGRAM_LIMIT:-900}" "$program" --gtest_color=no "--gtest_output=xml:$results/$name.xml" >"$results/$name.log" 2>&1
  status=$?
  counts=$(count_gtest "$results/$name.xml" 2>/dev/null) || counts=
  if [ -z "$counts" ]; then
    # It crashed or was killed before it could write its results.
    tail -n 40 "$results/$name.log"
    echo "FAILED: $name ended with status $status and no results"
    failed=$((failed + 1))
    failures+=("$name (status $status)")
    continue
  fi
  read -r p f s <<<"$counts"
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  grep -E '^\[ +SKIPPED|: Skipped|skipped|[Ss]eed' "$results/$name.log" | sort -u | head -n 20
  if [ "$f" -ne 0 ]; then
    tail -n 80 "$results/$name.log"
    failures+=("$name ($f)")
  fi
  echo "   $p passed, $f failed, $s skipped in $((SECONDS - start)) s"
  passed=$((passed + p)) failed=$((failed + f)) skips=$((skips + s))
done

for script in tests/boot/*.sh; do
  name=$(basename "$script" .sh)
  [ "$name" != lib ] || continue
  case $name in *${ONLY:-}*) ;; *) continue ;; esac
  echo "== $name"
  start=$SECONDS
  timeout -s KILL "${SCRIPT_LIMIT:-1500}" bash "$script" 2>&1 | tee "$results/$name.log"
  status=${PIPESTATUS[0]}
  p=$(grep -c '^ok ' "$results/$name.log") f=$(grep -c '^not ok ' "$results/$name.log") s=$(grep -c '^skipped ' "$results/$name.log")
  if [ "$status" -gt 1 ] || [ $((p + f + s)) -eq 0 ]; then
    echo "FAILED: $name ended with status $status"
    f=$((f + 1))
  fi
  while read -r failure; do failures+=("$failure"); done < <(grep '^not ok ' "$results/$name.log" | cut -c 8-200)
  echo "   $p passed, $f failed, $s skipped in $((SECONDS - start)) s"
  passed=$((passed + p)) failed=$((failed + f)) skips=$((skips + s))
done

for failure in "${failures[@]:-}"; do [ -z "$failure" ] || echo "failed: $failure"; done
echo "$passed passed, $failed failed, $skips skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
