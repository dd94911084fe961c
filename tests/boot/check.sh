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
