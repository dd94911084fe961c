#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots Debian's ARM kernel: to a shell, or with CMD to run that command and exit with its status.
# Environment: CMD, MMU (auto), WINDOWS, FLUSH, WORLD, KERNEL (armmp, armmp-lpae or installer),
# MEMORY (1G), SMP (CPUs, 1), TIMEOUT (seconds), APPEND, DISK (an image for the guest to use),
# NET (as --net has it; `network` in the guest then takes an address), SHARE (a folder, which
# `share` in the guest mounts on /share; or DIR,TAG as --share has it), STATS, BUILD, GUEST,
# CROSSWALK (the program to run the guest in), VERBOSE (kernel messages).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
kernel=${KERNEL:-armmp}
guest=${GUEST:-build/guest}
crosswalk=${CROSSWALK:-$build/crosswalk}

die() { echo "boot: $*" >&2; exit 2; }
[ -f "$guest/$kernel/vmlinuz" ] || die "no kernel '$kernel' in $guest; KERNEL is armmp, armmp-lpae or installer, and 'make guest' fetches them"

arguments=(run --kernel "$guest/$kernel/vmlinuz" --memory "${MEMORY:-1G}" --mmu "${MMU:-auto}")
[ -z "${WINDOWS:-}" ] || arguments+=(--windows "$WINDOWS")
[ -z "${FLUSH:-}" ] || arguments+=(--flush "$FLUSH")
[ -z "${WORLD:-}" ] || arguments+=(--world "$WORLD")
[ -z "${SMP:-}" ] || arguments+=(--smp "$SMP")
[ -z "${TIMEOUT:-}" ] || arguments+=(--timeout "$TIMEOUT")
[ -z "${DISK:-}" ] || arguments+=(--disk "$DISK")
[ -z "${NET:-}" ] || arguments+=(--net "$NET")
case ${SHARE:-} in
  '') ;;
  *,*) arguments+=(--share "$SHARE") ;;
  *) arguments+=(--share "$SHARE,share") ;;
esac
[ -z "${STATS:-}" ] || arguments+=(--stats)
append="console=ttyAMA0 ${APPEND:-}"

if [ "$kernel" = installer ]; then
  # Debian's own initrd, untouched; its init would start the installer, so a shell takes its place.
  [ -z "${CMD:-}" ] || die "CMD needs KERNEL=armmp or armmp-lpae: the installer's initrd has nothing that runs it"
  exec "$crosswalk" "${arguments[@]}" --initrd "$guest/installer/initrd.gz" --append "$append rdinit=/bin/sh"
fi

images=$guest${NET:+/net}
[ -z "${SHARE:-}" ] || images=$guest/share
initrd=$images/initrd-$kernel.gz
if [ -z "${CMD:-}" ]; then exec "$crosswalk" "${arguments[@]}" --initrd "$initrd" --append "$append"; fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# A disk of one sector, where the guest's /init leaves the command's exit status.
printf 'crosswalk-status none\n' >"$scratch/status"
truncate -s 512 "$scratch/status"
[ -n "${VERBOSE:-}" ] || append+=" quiet"
encoded=$(printf %s "$CMD" | base64 -w0)
if [ ${#encoded} -le 600 ]; then
  append+=" crosswalk.cmd=$encoded"
else
  # Longer than a kernel command line: in a second archive behind the first.
  printf %s "$CMD" >"$scratch/command"
  scripts/make-initramfs.py "$scratch/command.cpio.gz" "file:command:644:$scratch/command"
  cat "$initrd" "$scratch/command.cpio.gz" >"$scratch/initrd.gz"
  initrd=$scratch/initrd.gz
fi

status=0
"$crosswalk" "${arguments[@]}" --initrd "$initrd" --append "$append" --disk "$scratch/status" </dev/null || status=$?
# What 1 and 2 mean has been said.
case $status in 1 | 2) exit $status ;; esac
[ $status -eq 0 ] || { echo "boot: the guest did not power off by itself (status $status; docs/exit-status.md)" >&2; exit $status; }
reported=$(tr -d '\000' <"$scratch/status" | sed -n 's/^crosswalk-status \([0-9][0-9]*\)$/\1/p')
[ -n "$reported" ] || { echo "boot: the guest powered off without reporting the command's exit status" >&2; exit 125; }
exit "$reported"
