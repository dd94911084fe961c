#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scripts/check.sh itself, with programs that stand for tests: what failed is named, nothing has a
# terminal, what hangs ends.
# Needs: nothing
set -u
. tests/boot/lib.sh
unset MAKEFLAGS

# program NAME: a test program, from standard input; write_results of it makes a result file of its
# test cases.
program() {
  {
    echo '#!/bin/bash'
    echo 'write_results() { for a in "$@"; do case $a in --gtest_output=xml:*) echo "<a><b>$cases</b></a>" >"${a#*xml:}" ;; esac; done; }'
    cat
  } >"$scratch/$1"
  chmod +x "$scratch/$1"
}
# check PROGRAM…: runs them; its last lines are in $scratch/text.
check() {
  status=0
  BUILD=$scratch/build ONLY=stand-in PATIENCE=${patience:-100} scripts/check.sh "${@/#/$scratch/}" >"$scratch/text" 2>"$scratch/err" || status=$?
}

program stand-in-fails <<'EOS'
cases='<testcase classname="Suite" name="Good"/><testcase classname="Suite" name="Bad/1"><failure/></testcase>'
write_results "$@"
exit 1
EOS
program stand-in-crashes <<'EOS'
echo '[ RUN      ] Suite.Crashes'
kill -SEGV $$
EOS
check stand-in-fails stand-in-crashes
if [ $status = 1 ] && [ "$(tail -n 3 "$scratch/text" | tr '\n' ';')" = \
  'failed: stand-in-fails: Suite.Bad/1;failed: stand-in-crashes: status 139 during Suite.Crashes;1 passed, 2 failed, 0 skipped;' ]; then ok check/names
else not_ok check/names "status $status: $(tail -n 3 "$scratch/text" | tr '\n' ';')"; fi

program stand-in-hangs <<'EOS'
echo '[ RUN      ] Suite.Hangs'
timeout 1000 sleep 987 &
sleep 987
EOS
patience=1 check stand-in-hangs
if grep -q '^failed: stand-in-hangs: status 137 during Suite.Hangs' "$scratch/text" && [ -z "$(grep -l '^sleep.987' /proc/[0-9]*/cmdline 2>/dev/null)" ]; then ok check/hang
else not_ok check/hang "$(said 3)"; fi

# On a terminal: nothing is to be found of it. `script` starts what $SHELL names, or sh; only bash
# passes an exported function on.
program stand-in-without-terminal <<'EOS'
cases='<testcase classname="Suite" name="Good"/>'
if [ -t 0 ] || [ -t 1 ] || [ -t 2 ] || (exec </dev/tty) 2>/dev/null; then exit 1; fi
read -r line && exit 1
write_results "$@"
EOS
export -f check
export scratch
rm -f "$scratch/text"
SHELL=/bin/bash script -qec "bash -c 'check stand-in-without-terminal'" /dev/null </dev/null >/dev/null 2>&1
if [ "$(tail -n 1 "$scratch/text")" = '1 passed, 0 failed, 0 skipped' ]; then ok check/no-terminal
else not_ok check/no-terminal "$(said 3)"; fi

# Scripts: two at a time, what each prints as a whole; one that is alone is, and is the last; what
# failed is named, and what ended early.
mkdir "$scratch/scripts"
# script NAME: a test script, from standard input. `meet NAME` waits for another one.
script_named() {
  {
    echo "scratch=$scratch"
    echo 'meet() { touch "$scratch/is-there-$1"; for _ in $(seq 600); do [ -e "$scratch/is-there-$2" ] && return; sleep 0.1; done; return 1; }'
    cat
  } >"$scratch/scripts/$1.sh"
}
# check_scripts: runs them; all that it prints is in $scratch/text.
check_scripts() {
  status=0
  BUILD=$scratch/build ONLY=${only:-stand-in} TEST_SCRIPTS=$scratch/scripts JOBS=2 PATIENCE=100 scripts/check.sh >"$scratch/text" 2>"$scratch/err" || status=$?
}
script_named stand-in-a <<'EOS'
# Takes: 9
echo "ok a/first $JOBS"
meet a b && echo "ok a/met"
touch "$scratch/a-has-ended"
EOS
script_named stand-in-b <<'EOS'
echo "ok b/first $JOBS"
meet b a && echo "not ok b/met: and fails"
exit 3
EOS
script_named stand-in-alone <<'EOS'
# Alone: as the first of all by name, it would be seen
[ -e "$scratch/a-has-ended" ] && echo "ok alone $JOBS"
echo "skipped one: for a reason"
EOS
check_scripts
cat >"$scratch/expected" <<'EOS'
ok a/first 1
ok a/met
   2 passed, 0 failed, 0 skipped in N s
ok b/first 1
not ok b/met: and fails
FAILED: stand-in-b ended with status 3
   1 passed, 2 failed, 0 skipped in N s
ok alone 2
skipped one: for a reason
   1 passed, 0 failed, 1 skipped in N s
failed: b/met: and fails
failed: stand-in-b: status 3 after 'not ok b/met: and fails'
4 passed, 2 failed, 1 skipped
EOS
# Which of the two ends first is not known.
sed -n '/^== stand-in-a /,/ in [0-9]* s$/p; ' "$scratch/text" >"$scratch/shown"
sed -n '/^== stand-in-b /,/ in [0-9]* s$/p; ' "$scratch/text" >>"$scratch/shown"
sed -n '/^== stand-in-alone /,$p; ' "$scratch/text" >>"$scratch/shown"
sed -i '/^==/d; s/ in [0-9]* s$/ in N s/' "$scratch/shown"
if [ $status = 1 ] && [ "$(wc -l <"$scratch/text")" = 17 ] && difference=$(diff "$scratch/expected" "$scratch/shown"); then ok check/scripts
else not_ok check/scripts "status $status, $(wc -l <"$scratch/text") lines: $(echo "${difference:-}" | head -n 6 | tr '\n' ' ') $(cat "$scratch/err")"; fi

# What is interrupted leaves nothing running.
script_named stand-in-sleeps <<'EOS'
meet sleeps b
sleep 986
EOS
for signal in TERM INT; do
  rm -f "$scratch"/is-there-*
  only='stand-in-(a|sleeps)'
  BUILD=$scratch/build ONLY=$only TEST_SCRIPTS=$scratch/scripts JOBS=2 setsid env --default-signal=INT scripts/check.sh >"$scratch/text" 2>"$scratch/err" &
  job=$!
  for _ in $(seq 600); do [ -e "$scratch/is-there-a" ] && [ -e "$scratch/is-there-sleeps" ] && break; sleep 0.1; done
  touch "$scratch/is-there-b"
  for _ in $(seq 600); do grep -q '^sleep.986' /proc/[0-9]*/cmdline 2>/dev/null && break; sleep 0.1; done
  kill -$signal -- -$job 2>/dev/null # as a terminal does
  status=0
  wait $job || status=$?
  if [ $status = 130 ] && [ -z "$(grep -l '^sleep.986' /proc/[0-9]*/cmdline 2>/dev/null)" ]; then ok check/interrupted-$signal
  else not_ok check/interrupted-$signal "status $status; left: $(grep -l '^sleep.986' /proc/[0-9]*/cmdline 2>/dev/null | tr '\n' ' ')"; fi
done
