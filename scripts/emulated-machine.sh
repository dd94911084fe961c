# SPDX-License-Identifier: GPL-2.0-or-later
# The emulated AMD machine of check-nested.sh and check-module.sh: what starts it and counts what
# its tests print. Sourced behind tests/boot/lib.sh. what=NAME is the name of the test, with which
# the machine's own lines begin and end: `NAME: begin`, `NAME: end`.
machine=$guest/nested
passed=0 failed=0 skips=0

finish() {
  echo "$passed passed, $failed failed, $skips skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
skip_all() { skipped "$what" "$1"; skips=1; finish; }
fail_all() { not_ok "$1" "$2"; failed=$((failed + 1)); finish; }

# Skips all where the machine cannot be had; fetches it.
need_machine() {
  [ "$(uname -m)" = x86_64 ] || skip_all "the tests are for x86-64"
  command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed (Debian package qemu-system-x86)"
  if [ ! -e "$machine/fetched" ] && ! FETCH_ATTEMPTS=${FETCH_ATTEMPTS:-2} scripts/fetch-nested.sh "$machine" >"$scratch/fetch" 2>&1; then
    skip_all "its kernel cannot be fetched: $(tail -n 1 "$scratch/fetch")"
  fi
}

# pack_machine INIT ENTRY…: makes its initramfs. Not compressed: the machine would take longer to
# unpack it than to read it.
pack_machine() {
  scripts/pack-machine.py "$scratch/initrd" "$machine" "$@" || fail_all "$what/image" "scripts/pack-machine.py failed"
}

# run_machine NAME SECONDS LOG COMMAND_LINE QEMU_OPTION…: runs it, prints and counts the lines of
# its tests; what else it says is in LOG. Without LA57 every page walk of the machine is one level
# shorter; Crosswalk needs 47 bits only. The kernel would panic if it counted too few timer
# interrupts while the host is busy. All CPUs are on one thread of QEMU. With a thread each
# (THREADS=multi), QEMU 7.2 may run old code for ever where another CPU has changed it through
# another mapping; Linux patches its own code so, and Crosswalk the links between blocks.
run_machine() {
  local name=$1 seconds=$2 log=$3 append=$4 status why
  shift 4
  mkdir -p "$(dirname "$log")"
  seconds=$(limit "$seconds")
  timeout -k 10 "$seconds" qemu-system-x86_64 -accel tcg,thread=${THREADS:-single} -cpu max,+svm,+npt,-la57 -display none -nodefaults -no-user-config \
    -serial stdio -monitor none -no-reboot -kernel "$machine/vmlinuz" -initrd "$scratch/initrd" "$@" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check $append" </dev/null 2>&1 |
    tee "$log" | sed -un "s/\r*\$//; /^$what: begin/,/^$what: end/p" | tee "$scratch/text"
  status=${PIPESTATUS[0]}
  passed=$((passed + $(grep -c '^ok ' "$scratch/text")))
  failed=$((failed + $(grep -c '^not ok ' "$scratch/text")))
  skips=$((skips + $(grep -c '^skipped ' "$scratch/text")))
  grep -q "^$what: end" "$scratch/text" && return
  why="the machine ended (status $status) before its tests did"
  [ "$status" -lt 124 ] || why="not done after $seconds s"
  not_ok "$name" "$why; $(tr -d '\r\000' <"$log" | tail -n 4 | tr '\n' ' ' | head -c 600)"
  failed=$((failed + 1))
}
