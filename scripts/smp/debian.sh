#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A test of several CPUs in Debian's ARM kernel (tests/guests/linux/several-cpus says which there
# are). usage: debian.sh MODE CPUS TEST [AMOUNT]
#   MODE     as for `crosswalk run --mmu`, hybrid+windows=ept too; `qemu` runs it in QEMU
#   AMOUNT   seconds of a torture test and of each of stress's classes, rounds of hotplug, …
# Environment: KERNEL (armmp), MEMORY (1G), TIMEOUT (seconds), ARGUMENTS (more options of run),
# TYPES of locks, STRESS classes, LOG (a file for all that the guest prints), VERBOSE, BUILD, GUEST,
# CROSSWALK. Prints the conditions (scripts/conditions.py), the guest's rows and what it says at the
# end; status 0 for `pass`.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage="usage: debian.sh MODE CPUS TEST [AMOUNT]"
mode=${1:?$usage} cpus=${2:?$usage} test=${3:?$usage}
build=${BUILD:-build} guest=${GUEST:-build/guest} kernel=${KERNEL:-armmp}
crosswalk=${CROSSWALK:-$build/crosswalk}
case $test in
  nproc) amount=${4:-$cpus} ;;
  hotplug) amount=${4:-100} ;;
  locktorture | rcutorture | scftorture) amount=${4:-60} ;;
  stress) amount=${4:-10} ;;
  compile) amount=${4:-4} ;;
  *) amount=${4:-1} ;;
esac
die() { echo "debian: $*" >&2; exit 2; }

program=$crosswalk
if [ "$mode" = qemu ]; then crosswalk=scripts/run-in-qemu.sh options=(); else read -ra options <<<"--mmu ${mode//+/ --}"; fi
for file in "$guest/$kernel/vmlinuz" "$guest/smp/initrd-$kernel.gz" "$guest/smp/rootfs.ext4"; do
  [ -f "$file" ] || die "no $file; 'make guest-smp' makes it"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf 'export TYPES="%s" STRESS="%s"; [ -n "$TYPES" ] || unset TYPES; [ -n "$STRESS" ] || unset STRESS; several-cpus %s %s\n' \
  "${TYPES:-}" "${STRESS:-}" "$test" "$amount" >"$scratch/command"
scripts/make-initramfs.py "$scratch/command.cpio.gz" "file:command:644:$scratch/command"
cat "$guest/smp/initrd-$kernel.gz" "$scratch/command.cpio.gz" >"$scratch/initrd.gz"
append="console=ttyAMA0"
[ -n "${VERBOSE:-}" ] || append+=" quiet"

settings=()
for name in KERNEL MEMORY ARGUMENTS TYPES STRESS; do [ -z "${!name:-}" ] || settings+=("$name=${!name}"); done
scripts/conditions.py start --crosswalk "$program" "${settings[@]}" scripts/smp/debian.sh "$mode" "$cpus" "$test" "$amount"
status=0
"$crosswalk" run --kernel "$guest/$kernel/vmlinuz" --initrd "$scratch/initrd.gz" --memory "${MEMORY:-1G}" --smp "$cpus" "${options[@]}" \
  --append "$append" --disk "$guest/smp/rootfs.ext4,readonly" --timeout "${TIMEOUT:-$((300 + 20 * amount))}" ${ARGUMENTS:-} \
  </dev/null 2>&1 | tr -d '\r' | tee "$scratch/out" | { if [ -n "${VERBOSE:-}" ]; then cat; else sed -n '/^several-cpus:/,$p'; fi; } || status=$?
scripts/conditions.py end
[ -z "${LOG:-}" ] || cp "$scratch/out" "$LOG"
if [ "$status" -eq 0 ] && grep -q '^several-cpus: pass' "$scratch/out"; then exit 0; fi
[ "$status" -ne 0 ] || status=1
grep -q '^several-cpus: FAIL' "$scratch/out" || { tail -n 30 "$scratch/out"; echo "debian: the guest did not finish (status $status)"; }
exit "$status"
