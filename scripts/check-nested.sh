#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kvm world on nested paging: boots QEMU's emulation of an AMD machine with SVM and NPT, and in
# it runs Crosswalk and its KVM tests on the real kvm-amd (tests/guests/nested/init says which).
# Needs no KVM here. All of that without the kernel module first; then it is loaded, and kmod is
# tested in the same way, in both worlds, and in guests with several CPUs, for which a second
# machine has two.
#   NESTED=reduced  host facts, choice of mechanisms, a short torture test in shadow, ept and kmod,
#                   short guests with two CPUs in kmod
#   NESTED=normal   all KVM tests, a long torture test, and bare-metal guests that exercise the MMU
#   NESTED=full     also Debian's ARM kernel up to its user space, and 100,000 steps of the torture
#                   test in kmod; takes long
# NESTED_TESTS=FILTER runs only these tests of tests/vmm/world, for debugging; NESTED_LIMIT is a
# time limit in seconds. Ends with a line that counts; exit status 0 only when something passed and
# nothing failed. The machine's whole output is in $BUILD/check/nested-machine.log.
set -u
cd "$(dirname "$0")/.."
. tests/boot/lib.sh
amount=${NESTED:-normal}
what=nested
. scripts/emulated-machine.sh

case $amount in
  reduced) limit=${NESTED_LIMIT:-600} ;;
  normal) limit=${NESTED_LIMIT:-1500} ;;
  full) limit=${NESTED_LIMIT:-9000} ;;
  *) echo "check-nested: NESTED is reduced, normal or full, not '$amount'" >&2; exit 2 ;;
esac
need_machine
smp=(power shootdown code_changes exclusives litmus)
programs=("$crosswalk" "$build/tests/vmm-world" "$build/tests/vmm-host" "$build/tests/mmu-shadow")
guests=()
for name in hello hello-rom debug_events timekeeping alignment bad_jump bad_dma bad_tables bench_mmu bench_flush; do guests+=("$guest/bare/$name.elf"); done
for name in "${smp[@]}"; do guests+=("$guest/smp/$name.bin"); done
for file in "${programs[@]}" "${guests[@]}"; do
  [ -e "$file" ] || fail_all nested/image "$file is missing; make check-nested builds it"
done

entries=()
for program in "${programs[@]}"; do entries+=("--program=$program"); done
entries+=("--program=$(command -v setpriv)") || fail_all nested/image "no setpriv (Debian package util-linux)"
for program in "${guests[@]}"; do entries+=("--file=guests/$(basename "$program")=$program"); done
if [ "$amount" = full ]; then
  entries+=("--file=guests/vmlinuz=$guest/armmp/vmlinuz" "--file=guests/initrd.gz=$guest/initrd-armmp.gz")
fi
if scripts/build-module.sh "$(cat "$machine/version")" >"$scratch/built" 2>"$scratch/err"; then
  entries+=("--file=crosswalk.ko=$(cat "$scratch/built")")
elif grep -q '^build-module: no headers' "$scratch/err"; then
  skipped nested/kmod "$(tail -n 1 "$scratch/err")"
  skips=1
else
  cat "$scratch/err"
  fail_all nested/kmod "the module does not build, see above"
fi
pack_machine tests/guests/nested/init "${entries[@]}"

start=$SECONDS
run_machine nested/machine "$limit" "$build/check/nested-machine.log" \
  "NESTED=$amount LOAD=$(load_factor) ${NESTED_TESTS:+NESTED_TESTS=$NESTED_TESTS}" -m 3G
# Apart: with two CPUs, what is measured above takes two to four times as long.
if [ -z "${NESTED_TESTS:-}" ] && [ -e "$scratch/built" ] && [ "$skips" -eq 0 ]; then
  run_machine nested/machine-smp "$limit" "$build/check/nested-machine-smp.log" "NESTED=$amount PART=smp LOAD=$(load_factor)" -m 3G -smp 2
fi
echo "nested: $amount, $((SECONDS - start)) s"
finish
