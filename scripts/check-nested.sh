#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kvm world on nested paging: boots QEMU's emulation of an AMD machine with SVM and NPT, and in
# it runs Crosswalk and its KVM tests on the real kvm-amd (tests/guests/nested/init says which).
# Needs no KVM here.
#   NESTED=reduced  host facts, choice of mechanisms, a short torture test in shadow and ept
#   NESTED=normal   all KVM tests, a long torture test, and bare-metal guests that exercise the MMU
#   NESTED=full     also Debian's ARM kernel up to its user space; takes long
# NESTED_TESTS=FILTER runs only these tests of tests/vmm/world, for debugging; NESTED_LIMIT is a
# time limit in seconds. Ends with a line that counts; exit status 0 only when something passed and
# nothing failed. The machine's whole output is in $BUILD/check/nested-machine.log.
set -u
cd "$(dirname "$0")/.."
. tests/boot/lib.sh
amount=${NESTED:-normal}
machine=$guest/nested
passed=0 failed=0 skips=0

finish() {
  echo "$passed passed, $failed failed, $skips skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
skip_all() { skipped nested "$1"; skips=1; finish; }
fail_all() { not_ok "$1" "$2"; failed=$((failed + 1)); finish; }

case $amount in
  reduced) limit=${NESTED_LIMIT:-600} ;;
  normal) limit=${NESTED_LIMIT:-1500} ;;
  full) limit=${NESTED_LIMIT:-5400} ;;
  *) echo "check-nested: NESTED is reduced, normal or full, not '$amount'" >&2; exit 2 ;;
esac
[ "$(uname -m)" = x86_64 ] || skip_all "the tests are x86-64 programs"
command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed (Debian package qemu-system-x86)"
if [ ! -e "$machine/fetched" ] && ! FETCH_ATTEMPTS=${FETCH_ATTEMPTS:-2} scripts/fetch-nested.sh "$machine" >"$scratch/fetch" 2>&1; then
  skip_all "its kernel cannot be fetched: $(tail -n 1 "$scratch/fetch")"
fi
programs=("$crosswalk" "$build/tests/vmm-world" "$build/tests/vmm-host" "$build/tests/mmu-shadow")
guests=("$guest/bare/hello.elf" "$guest/bare/bench_mmu.elf" "$guest/bare/bench_flush.elf" "$guest/bare/bad_tables.elf")
for file in "${programs[@]}" "${guests[@]}"; do
  [ -e "$file" ] || fail_all nested/image "$file is missing; make check-nested builds it"
done

entries=()
for program in "${programs[@]}"; do entries+=("--program=$program"); done
for program in "${guests[@]}"; do entries+=("--file=guests/$(basename "$program")=$program"); done
if [ "$amount" = full ]; then
  entries+=("--file=guests/vmlinuz=$guest/armmp/vmlinuz" "--file=guests/initrd.gz=$guest/initrd-armmp.gz")
fi
# Not compressed: the emulated machine would take longer to unpack it than to read it.
scripts/pack-machine.py "$scratch/initrd" "$machine" tests/guests/nested/init "${entries[@]}" || fail_all nested/image "scripts/pack-machine.py failed"

mkdir -p "$build/check"
log=$build/check/nested-machine.log
start=$SECONDS
seconds=$(limit "$limit")
# Without LA57 every page walk of the machine is one level shorter; Crosswalk needs 47 bits only.
timeout -k 10 "$seconds" qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt,-la57 -m 3G -display none -nodefaults -no-user-config \
  -serial stdio -monitor none -no-reboot -kernel "$machine/vmlinuz" -initrd "$scratch/initrd" \
  -append "console=ttyS0 quiet panic=-1 NESTED=$amount LOAD=$(load_factor) ${NESTED_TESTS:+NESTED_TESTS=$NESTED_TESTS}" </dev/null 2>&1 |
  tee "$log" | sed -un 's/\r*$//; /^nested: begin/,/^nested: end/p' | tee "$scratch/text"
status=${PIPESTATUS[0]}

passed=$(grep -c '^ok ' "$scratch/text") failed=$(grep -c '^not ok ' "$scratch/text") skips=$(grep -c '^skipped ' "$scratch/text")
if ! grep -q '^nested: end' "$scratch/text"; then
  why="the machine ended (status $status) before its tests did"
  [ "$status" -lt 124 ] || why="not done after $seconds s"
  not_ok nested/machine "$why; $(tr -d '\r\000' <"$log" | tail -n 2 | tr '\n' ' ' | head -c 300)"
  failed=$((failed + 1))
fi
echo "nested: $amount, $((SECONDS - start)) s"
finish
