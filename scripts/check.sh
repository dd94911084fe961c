#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every GoogleTest program given and every system test in tests/boot. The last lines name each
# test that failed and count all: `N passed, N failed, N skipped`. Exit status 0 only when something
# passed and nothing failed. ONLY=REGEX runs the programs and scripts whose name it matches; a part
# of the name will do. The tests have no terminal and no input, whoever starts this. One that prints
# nothing for PATIENCE seconds (of an idle machine) is ended and has failed.
#
# Each script's first line says what is left, by how long all took the last time; on a terminal
# failures and the last line are in colour, unless NO_COLOR is set.
#
# check.sh --select: prints which of the programs given and which scripts ONLY matches, one a line,
# and runs nothing. What a script needs to be built stands behind its name, from the line `# Needs:
# …` of the script; "everything" without one.
set -u
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build} GUEST=${GUEST:-build/guest}
. scripts/limits.sh
select=
if [ "${1:-}" = --select ]; then select=1; shift; fi

# selected NAME: whether ONLY matches it.
selected() {
  [[ $1 =~ ${ONLY:-} ]]
  case $? in
    0) return 0 ;;
    1) return 1 ;;
    *) echo "check: ONLY='$ONLY' is no regular expression" >&2; exit 2 ;;
  esac
}

programs=() scripts=() names=()
for program in "$@"; do
  names+=("$(basename "$program")")
  if selected "${names[-1]}"; then programs+=("$program"); fi
done
for script in tests/boot/*.sh; do
  name=$(basename "$script" .sh)
  [ "$name" != lib ] || continue
  names+=("$name")
  if selected "$name"; then scripts+=("$script"); fi
done
if [ $((${#programs[@]} + ${#scripts[@]})) -eq 0 ]; then
  echo "check: ONLY='${ONLY:-}' matches no test; there are: ${names[*]}" >&2
  exit 2
fi
if [ -n "$select" ]; then
  for program in "${programs[@]}"; do echo "$program"; done
  for script in "${scripts[@]}"; do
    needs=$(sed -n 's/^# Needs: *//p' "$script" | head -n 1)
    echo "$script ${needs:-everything}"
  done
  exit 0
fi

results=$BUILD/check
mkdir -p "$results"
red= green= yellow= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then red=$'\e[1;31m' green=$'\e[1;32m' yellow=$'\e[33m' plain=$'\e[0m'; fi
# paint: colours what is read.
paint() {
  if [ -z "$plain" ]; then cat; else sed -u "s/^\(not ok\|FAILED\|failed:\).*/$red&$plain/; s/^skipped .*/$yellow&$plain/; s/^ok /${green}ok$plain /"; fi
}

# What all took the last time, as lines "NAME SECONDS"; one that has not run yet takes 30 s.
times=$results/times
touch "$times"
took() { awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 30 }' "$times"; }
remember() {
  sed -i "/^$1 /d" "$times"
  echo "$1 $2" >>"$times"
}
# left NAME…: how long the scripts of these names take, in words.
left() {
  local name sum=0
  for name in "$@"; do sum=$((sum + $(took "$name"))); done
  if [ $sum -lt 90 ]; then echo "about $sum s left"; else echo "about $(((sum + 30) / 60)) min left"; fi
}
passed=0 failed=0 skips=0
failures=()
session=
trap '[ -z "$session" ] || end_session "$session"; kill $(jobs -p) 2>/dev/null; exit 130' INT TERM HUP

# Counts of a GoogleTest result file: passed, failed, skipped; then a line for each test that
# failed.
count_gtest() {
  python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
passed = skipped = 0
failed = []
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") == "notrun":
        continue
    if case.find("failure") is not None:
        failed.append(f"{case.get('classname')}.{case.get('name')}")
    elif case.find("skipped") is not None or case.get("result") == "skipped":
        skipped += 1
    else:
        passed += 1
print(passed, len(failed), skipped)
print("\n".join(failed))
PYTHON
}

# run_program PROGRAM: what it prints is a report for people; the counts and the tests that failed
# go to $results/NAME.counts.
run_program() {
  local program=$1 name start=$SECONDS status counts during p f s
  name=$(basename "$program")
  rm -f "$results/$name.xml"
  echo "== $name"
  watched "$results/$name.log" "${PATIENCE:-300}" "$program" --gtest_color=no "--gtest_output=xml:$results/$name.xml"
  status=$?
  counts=$(count_gtest "$results/$name.xml" 2>/dev/null) || counts=
  if [ -z "$counts" ]; then
    # It crashed or was killed before it could write its results.
    tail -n 40 "$results/$name.log"
    during=$(sed -n 's/^\[ RUN      \] //p' "$results/$name.log" | tail -n 1)
    echo "FAILED: $name ended with status $status and no results"
    printf '0 1 0\nstatus %s%s\n' "$status" "${during:+ during $during}" >"$results/$name.counts"
    return
  fi
  read -r p f s <<<"$counts"
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
    f=1
    counts=$(printf '%s 1 %s\nstatus %s after its tests had passed' "$p" "$s" "$status")
  fi
  echo "$counts" >"$results/$name.counts"
  grep -E '^\[ +SKIPPED|: Skipped|skipped|[Ss]eed' "$results/$name.log" | sort -u | head -n 20
  if [ "$f" -ne 0 ]; then tail -n 80 "$results/$name.log"; fi
  echo "   $p passed, $f failed, $s skipped in $((SECONDS - start)) s"
}

# The programs have one thread each, mostly: one a CPU runs, and each report is printed as a whole.
started=$SECONDS
if [ ${#programs[@]} -gt 0 ]; then echo "check: ${#programs[@]} programs, ${#scripts[@]} scripts; $(left programs "${scripts[@]##*/}")"; fi
for program in "${programs[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do wait -n || true; done
  rm -f "$results/$(basename "$program").counts"
  (
    trap '[ -z "$session" ] || end_session "$session"; exit 130' INT TERM HUP
    report=$results/$(basename "$program").report
    run_program "$program" >"$report" 2>&1
    paint <"$report"
  ) &
done
wait
# Only of all of them is it known how long they take.
if [ ${#programs[@]} -gt 0 ] && [ -z "${ONLY:-}" ]; then remember programs $((SECONDS - started)); fi
for program in "${programs[@]}"; do
  name=$(basename "$program")
  p=0 f=1 s=0
  { read -r p f s; while read -r failure; do [ -z "$failure" ] || failures+=("$name: $failure"); done; } <"$results/$name.counts" ||
    failures+=("$name: it was not run to its end")
  passed=$((passed + p)) failed=$((failed + f)) skips=$((skips + s))
done

for number in "${!scripts[@]}"; do
  script=${scripts[number]}
  name=$(basename "$script" .sh)
  rest=("${scripts[@]:number}")
  echo "== $name   [$((number + 1))/${#scripts[@]}, $(left "${rest[@]##*/}")]"
  start=$SECONDS
  : >"$results/$name.log"
  tail -s 0.2 -n +1 -f --pid=$$ "$results/$name.log" 2>/dev/null > >(paint) &
  shown=$!
  # A script prints a line for each of its tests; one test may boot several guests.
  watched "$results/$name.log" "${PATIENCE:-900}" bash "$script"
  status=$?
  sleep 0.4 # two turns of tail
  kill $shown 2>/dev/null
  wait $shown 2>/dev/null
  p=$(grep -c '^ok ' "$results/$name.log") f=$(grep -c '^not ok ' "$results/$name.log") s=$(grep -c '^skipped ' "$results/$name.log")
  while read -r failure; do failures+=("$failure"); done < <(grep '^not ok ' "$results/$name.log" | cut -c 8-200)
  if [ "$status" -gt 1 ] || [ $((p + f + s)) -eq 0 ]; then
    last=$(grep -E '^(ok|not ok|skipped) ' "$results/$name.log" | tail -n 1)
    echo "${red}FAILED: $name ended with status $status$plain"
    f=$((f + 1))
    failures+=("$name: status $status${last:+ after '$last'}")
  fi
  echo "   $p passed, $f failed, $s skipped in $((SECONDS - start)) s"
  remember "$name.sh" $((SECONDS - start))
  passed=$((passed + p)) failed=$((failed + f)) skips=$((skips + s))
done

for failure in "${failures[@]:-}"; do [ -z "$failure" ] || echo "failed: $failure"; done | paint
colour=$green
[ "$failed" -eq 0 ] || colour=$red
echo "${plain:+$colour}$passed passed, $failed failed, $skips skipped$plain"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
