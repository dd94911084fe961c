#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a guest in qemu-system-arm from the same options as `crosswalk run`, so that the same scripts
# and images can be tried in both: CROSSWALK=scripts/run-in-qemu.sh make boot. Options that only
# Crosswalk has are ignored here. Exit status: QEMU's own; 124 after --timeout.
set -euo pipefail
die() { echo "run-in-qemu: $*" >&2; exit 2; }

[ "${1:-}" = run ] || die "the first argument must be 'run'"
shift
arguments=(-M virt -global virtio-mmio.force-legacy=false -nographic -nodefaults -serial mon:stdio -no-reboot -semihosting -nic none)
memory=1G cpu=cortex-a15 timeout=
disks=0
while [ $# -gt 0 ]; do
  option=$1
  case $option in --*=*) set -- "${option%%=*}" "${option#*=}" "${@:2}"; option=$1 ;; esac
  case $option in
    --kernel) arguments+=(-kernel "$2") ;;
    --initrd) arguments+=(-initrd "$2") ;;
    --append) arguments+=(-append "$2") ;;
    --dtb) arguments+=(-dtb "$2") ;;
    --memory) memory=$2 ;;
    --smp) arguments+=(-smp "$2") ;;
    --cpu) cpu=$2 ;;
    --timeout) timeout=$2 ;;
    --disk)
      extra=
      case $2 in *,readonly*) extra=,readonly=on ;; esac
      file=${2%,format=raw} file=${file%,readonly} file=${file%,format=raw}
      arguments+=(-drive "if=none,id=disk$disks,format=raw,cache=writeback,file=$file$extra" -device "virtio-blk-device,drive=disk$disks")
      disks=$((disks + 1)) ;;
    --mmu | --world | --console | --stats-json | --semihosting-files | --sandbox) ;;
    --stats | --semihosting) shift; continue ;;
    *) die "unknown option $option" ;;
  esac
  shift 2
done
if [ -n "$timeout" ]; then exec timeout --foreground "$timeout" qemu-system-arm "${arguments[@]}" -m "$memory" -cpu "$cpu"; fi
exec qemu-system-arm "${arguments[@]}" -m "$memory" -cpu "$cpu"
