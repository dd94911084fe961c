#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module in an emulated machine, on Debian's kernel: nothing of it is loaded here. Twice:
# with two CPUs, where its tests run and then a hostile program for HOSTILE seconds (60) from SEED
# (1); and with one whose clock counts instructions, where what each operation costs is printed and
# compared with limits. PART=test or PART=count runs one of the two. Ends with a line that counts;
# exit status 0 only when something passed and nothing failed. The machines' whole output is in
# $BUILD/check/module-test.log and module-count.log.
set -u
cd "$(dirname "$0")/.."
. tests/boot/lib.sh
machine=$guest/nested
hostile=${HOSTILE:-60}
passed=0 failed=0 skips=0

finish() {
  echo "$passed passed, $failed failed, $skips skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
skip_all() { skipped module "$1"; skips=1; finish; }
fail_all() { not_ok "$1" "$2"; failed=$((failed + 1)); finish; }

[ "$(uname -m)" = x86_64 ] || skip_all "the module is for x86-64"
command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed (Debian package qemu-system-x86)"
if [ ! -e "$machine/fetched" ] && ! FETCH_ATTEMPTS=${FETCH_ATTEMPTS:-2} scripts/fetch-nested.sh "$machine" >"$scratch/fetch" 2>&1; then
  skip_all "its kernel cannot be fetched: $(tail -n 1 "$scratch/fetch")"
fi
version=$(cat "$machine/version")
if ! scripts/build-module.sh "$version" >"$scratch/built" 2>"$scratch/err"; then
  if grep -q '^build-module: no headers' "$scratch/err"; then skip_all "$(tail -n 1 "$scratch/err")"; fi
  cat "$scratch/err"
  fail_all module/build "see above"
fi
ok module/build
passed=1

entries=("--file=crosswalk.ko=$(cat "$scratch/built")")
for program in module-test kvm-test hostile; do
  [ -e "$build/module-tests/$program" ] || fail_all module/image "$build/module-tests/$program is missing; make check-module builds it"
  entries+=("--program=$build/module-tests/$program")
done
scripts/pack-machine.py "$scratch/initrd" "$machine" tests/kernel-module/init "${entries[@]}" || fail_all module/image "scripts/pack-machine.py failed"
mkdir -p "$build/check"

# run PART SECONDS QEMU_OPTION…
run() {
  local part=$1 seconds status log=$build/check/module-$1.log
  seconds=$(limit "$2")
  shift 2
  timeout -k 10 "$seconds" qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt,-la57 -m 1G -display none -nodefaults -no-user-config \
    -serial stdio -monitor none -no-reboot -kernel "$machine/vmlinuz" -initrd "$scratch/initrd" "$@" \
    -append "console=ttyS0 quiet panic=-1 PART=$part HOSTILE=$hostile SEED=${SEED:-1} ${KERNEL_OPTIONS:-}" </dev/null 2>&1 |
    tee "$log" | sed -un 's/\r*$//; /^module: begin/,/^module: end/p' | tee "$scratch/text"
  status=${PIPESTATUS[0]}
  passed=$((passed + $(grep -c '^ok ' "$scratch/text")))
  failed=$((failed + $(grep -c '^not ok ' "$scratch/text")))
  grep -q '^module: end' "$scratch/text" && return
  why="the machine ended (status $status) before its tests did"
  [ "$status" -lt 124 ] || why="not done after $seconds s"
  not_ok "module/machine-$part" "$why; $(tr -d '\r\000' <"$log" | tail -n 4 | tr '\n' ' ' | head -c 600)"
  failed=$((failed + 1))
}

[ "${PART:-test}" != test ] || run test $((300 + hostile * 2)) -smp 2
[ "${PART:-count}" != count ] || run count 300 -icount shift=0,sleep=off -seed 1
finish
