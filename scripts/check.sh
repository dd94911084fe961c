#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every GoogleTest program given and every system test in tests/boot. The last lines name each
# test that failed and count all: `N passed, N failed, N skipped`. Exit status 0 only when something
# passed and nothing failed. ONLY=REGEX runs the programs and scripts whose name it matches; a part
# of the name will do. The tests have no terminal and no input, whoever starts this. One that prints
# nothing for PATIENCE seconds (of an idle machine) is ended and has failed.
#
# JOBS (one per core) of them run at a time, those that took longest first; what each printed is
# shown as a whole when it has ended, with what is left, by how long all took the last time. A
# script with a line `# Alone: why` runs by itself, at the end, and is seen printing. On a terminal
# failures and the last line are in colour, unless NO_COLOR is set. TEST_SCRIPTS is the scripts'
# folder.
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
for script in "${TEST_SCRIPTS:-tests/boot}"/*.sh; do
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

# What each took the last time, as lines "NAME SECONDS"; else what its line `# Takes: SECONDS` says;
# else 20 s, and a program, of which some are long, 40 s.
times=$results/times
touch "$times"
took() {
  local name=$1 path=$2 seconds
  seconds=$(awk -v name="$name" '$1 == name { print $2 }' "$times")
  [ -n "$seconds" ] || case $path in
    *.sh) seconds=$(sed -n 's/^# Takes: *\([0-9]*\).*/\1/p' "$path" | head -n 1) ;;
    *) seconds=40 ;;
  esac
  echo "${seconds:-20}"
}
remember() {
  sed -i "/^$1 /d" "$times"
  echo "$1 $2" >>"$times"
}
# Of each test by its name: its path, and what it takes in seconds.
declare -A path=() takes=()
shared=() alone=()
for test in "${programs[@]}" "${scripts[@]}"; do
  name=$(basename "$test" .sh)
  case $test in *.sh) name=$name.sh ;; esac
  path[$name]=$test
  takes[$name]=$(took "$name" "$test")
  case $test in
    *.sh) if grep -q '^# Alone: ' "$test"; then alone+=("$name"); else shared+=("$name"); fi ;;
    *) shared+=("$name") ;;
  esac
done
mapfile -t shared < <(for name in "${shared[@]}"; do echo "${takes[$name]} $name"; done | sort -k 1,1nr -k 2 | cut -d ' ' -f 2)
total=$((${#programs[@]} + ${#scripts[@]}))
jobs=${JOBS:-$(nproc)}
# Of these, a script may use what the others leave.
at_once=$((${#shared[@]} < jobs ? ${#shared[@]} : jobs))
if [ $at_once -lt 1 ]; then at_once=1; fi

# What runs, by its process: its name, and when it started.
declare -A running=() since=()
done_tests=0
# left: how long what has not ended takes, in words.
left() {
  local name pid sum=0 longest=0 seconds
  for pid in "${!running[@]}"; do
    name=${running[$pid]}
    seconds=$((takes[$name] - (SECONDS - since[$pid])))
    [ $seconds -gt 0 ] || continue
    sum=$((sum + seconds))
    [ $seconds -le $longest ] || longest=$seconds
  done
  for name in "${shared[@]}"; do
    sum=$((sum + takes[$name]))
    [ "${takes[$name]}" -le $longest ] || longest=${takes[$name]}
  done
  sum=$(((sum + at_once - 1) / at_once))
  [ $sum -ge $longest ] || sum=$longest
  for name in "${alone[@]}"; do sum=$((sum + takes[$name])); done
  if [ $sum -lt 90 ]; then echo "about $sum s left"; else echo "about $(((sum + 30) / 60)) min left"; fi
}
passed=0 failed=0 skips=0
failures=()
session=
trap 'ended=$(jobs -p); kill $ended 2>/dev/null; wait; exit 130' INT TERM HUP

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

# run_script SCRIPT: likewise; its own lines go to its log, which is the first part of its report.
run_script() {
  local name log start=$SECONDS status p f s last
  name=$(basename "$1" .sh)
  log=$results/$name.log
  # A script prints a line for each of its tests; one test may boot several guests.
  watched "$log" "${PATIENCE:-900}" bash "$1"
  status=$?
  p=$(grep -c '^ok ' "$log") f=$(grep -c '^not ok ' "$log") s=$(grep -c '^skipped ' "$log")
  grep '^not ok ' "$log" | cut -c 8-200 >"$results/$name.failures"
  if [ "$status" -gt 1 ] || [ $((p + f + s)) -eq 0 ]; then
    last=$(grep -E '^(ok|not ok|skipped) ' "$log" | tail -n 1)
    echo "FAILED: $name ended with status $status"
    f=$((f + 1))
    echo "$name: status $status${last:+ after '$last'}" >>"$results/$name.failures"
  fi
  { echo "$p $f $s"; cat "$results/$name.failures"; } >"$results/$name.counts"
  rm -f "$results/$name.failures"
  echo "   $p passed, $f failed, $s skipped in $((SECONDS - start)) s"
}

# start NAME JOBS: it runs in the background; its report goes to a file.
start() {
  local name=$1 base=${1%.sh}
  rm -f "$results/$base.counts"
  : >"$results/$base.log"
  (
    trap '[ -z "$session" ] || end_session "$session"; exit 130' INT TERM HUP
    export JOBS=$2
    case $name in
      *.sh) run_script "${path[$name]}" ;;
      *) run_program "${path[$name]}" ;;
    esac >"$results/$base.report" 2>&1
  ) &
  started=$!
  running[$started]=$name
  since[$started]=$SECONDS
}

# header NAME: the first line of what is shown of a test.
header() { echo "== ${1%.sh}   [$done_tests/$total, $(left)]"; }

# finish PID: it has ended. Its report is shown by who calls.
finish() {
  remember "${running[$1]}" $((SECONDS - since[$1]))
  unset "running[$1]" "since[$1]"
  done_tests=$((done_tests + 1))
}

# On a terminal, a line says what runs.
line=
if [ -t 1 ]; then line=1; fi
say_running() { [ -z "$line" ] || printf '\r\e[K   running: %s; %s' "$(printf '%s\n' "${running[@]%.sh}" | sort | tr '\n' ' ' | sed 's/ $//')" "$(left)"; }
clear_line() { [ -z "$line" ] || printf '\r\e[K'; }

# seen NAME: runs it by itself, and shows what it prints as it does.
seen() {
  local name=$1 base=${1%.sh} shown
  header "$name"
  start "$name" "$jobs"
  tail -s 0.2 -n +1 -f --pid=$$ "$results/$base.log" 2>/dev/null > >(paint) &
  shown=$!
  wait "$started"
  sleep 0.4 # two turns of tail
  kill $shown 2>/dev/null
  wait $shown 2>/dev/null
  paint <"$results/$base.report"
  finish "$started"
}

echo "check: ${#programs[@]} programs, ${#scripts[@]} scripts; $(left)"
# By itself.
if [ ${#alone[@]} -eq 0 ] && [ ${#shared[@]} -eq 1 ] && [[ ${shared[0]} = *.sh ]]; then alone=("${shared[0]}") shared=(); fi
while [ $((${#shared[@]} + ${#running[@]})) -gt 0 ]; do
  while [ ${#shared[@]} -gt 0 ] && [ ${#running[@]} -lt $jobs ]; do
    name=${shared[0]}
    shared=("${shared[@]:1}")
    start "$name" $(((jobs + at_once - 1) / at_once))
  done
  say_running
  wait -n -p ended "${!running[@]}"
  # Interrupted, or bash no longer knows the one that has ended.
  if [ -z "${ended:-}" ]; then
    for pid in "${!running[@]}"; do kill -0 "$pid" 2>/dev/null || ended=$pid; done
    [ -n "${ended:-}" ] || continue
  fi
  name=${running[$ended]}
  clear_line
  finish "$ended"
  header "$name"
  {
    case $name in *.sh) cat "$results/${name%.sh}.log" ;; esac
    cat "$results/${name%.sh}.report"
  } | paint
done
while [ ${#alone[@]} -gt 0 ]; do
  name=${alone[0]}
  seen "$name"
  alone=("${alone[@]:1}")
done

# In an order that is the same each time.
for test in "${programs[@]}" "${scripts[@]}"; do
  name=$(basename "$test" .sh) prefix=
  case $test in *.sh) ;; *) prefix="$name: " ;; esac
  p=0 f=1 s=0
  { read -r p f s; while read -r failure; do [ -z "$failure" ] || failures+=("$prefix$failure"); done; } <"$results/$name.counts" ||
    failures+=("$name: it was not run to its end")
  passed=$((passed + p)) failed=$((failed + f)) skips=$((skips + s))
done
for failure in "${failures[@]:-}"; do [ -z "$failure" ] || echo "failed: $failure"; done | paint
colour=$green
[ "$failed" -eq 0 ] || colour=$red
echo "${plain:+$colour}$passed passed, $failed failed, $skips skipped$plain"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
