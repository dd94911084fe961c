#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module in an emulated machine, on Debian's kernel: nothing of it is loaded here. Twice:
# with two CPUs, where its tests run and then a hostile program for HOSTILE seconds (60) from SEED
# (1), both CPUs on one thread of QEMU unless THREADS is multi; and with one CPU whose clock counts
# instructions, where what each operation costs is printed and compared with limits. PART=test or
# PART=count runs one of the two. Ends with a line that counts; exit status 0 only when something
# passed and nothing failed. The machines' whole output is in $BUILD/check/module-test.log and
# module-count.log.
set -u
cd "$(dirname "$0")/.."
. tests/boot/lib.sh
what=module
. scripts/emulated-machine.sh
hostile=${HOSTILE:-60} memory=1G
if [ "${1:-}" = --debug ]; then
  machine=$build/debug-kernel memory=3G # KASAN takes an eighth
  export HEADERS=$PWD/$machine/linux
  [ -e "$machine/fetched" ] || fail_all module/machine "no debug kernel; make check-module-debug builds it"
fi

need_machine
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
pack_machine tests/kernel-module/init "${entries[@]}"

# run PART SECONDS QEMU_OPTION…
run() {
  local part=$1 seconds=$2
  shift 2
  run_machine "module/machine-$part" "$seconds" "$build/check/module-$part.log" \
    "PART=$part HOSTILE=$hostile SEED=${SEED:-1} ${KERNEL_OPTIONS:-}" -m "$memory" "$@"
}

if [ "${1:-}" = --debug ]; then
  run debug $((900 + hostile * 4)) -smp 2
  finish
fi
[ "${PART:-test}" != test ] || run test $((300 + hostile * 2)) -smp 2
[ "${PART:-count}" != count ] || run count 300 -icount shift=0,sleep=off -seed 1
finish
