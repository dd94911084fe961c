#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots Debian's ARM kernel: to a shell; with CMD to run that command, print its output alone and
# exit with its status; with KERNEL=installer to Debian's installer; with ROOT=1 to a Debian system
# (build/guest/debian.ext4), whose root password is crosswalk.
# Environment: CMD, ROOT, MMU (auto), WINDOWS, FLUSH, WORLD, KERNEL (armmp, armmp-lpae or
# installer), MEMORY (1G), SMP (CPUs, 1), TIMEOUT (seconds), APPEND, DISK (an image for the guest to
# use), NET (as --net has it; `network` in the busybox guest then takes an address; the installer
# and ROOT have user without it), SHARE (a folder, which `share` in the busybox guest mounts on
# /share; or DIR,TAG as --share has it), SSH (with ROOT: a port of 127.0.0.1 that leads to the
# guest's port 22), STATS, BUILD, GUEST, CROSSWALK (the program to run the guest in), VERBOSE (with
# CMD or ROOT: what the kernel says, too).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
kernel=${KERNEL:-armmp}
guest=${GUEST:-build/guest}
crosswalk=${CROSSWALK:-$build/crosswalk}

for switch in ROOT VERBOSE STATS; do [ "${!switch:-}" != 0 ] || unset $switch; done

die() { echo "boot: $*" >&2; exit 2; }
[ -f "$guest/$kernel/vmlinuz" ] || die "no kernel '$kernel' in $guest; KERNEL is armmp, armmp-lpae or installer, and 'make guest' fetches them"
if [ -n "${ROOT:-}" ]; then
  [ "$kernel" != installer ] || die "ROOT needs KERNEL=armmp or armmp-lpae"
  [ -z "${CMD:-}" ] || die "CMD is for the busybox guest; with ROOT, log in, or give SSH=PORT and use ssh"
fi
[ -z "${SSH:-}" ] || [ -n "${ROOT:-}" ] || die "SSH=$SSH needs ROOT=1"
net=${NET:-}
if [ -z "$net" ] && { [ -n "${ROOT:-}" ] || [ "$kernel" = installer ]; }; then net=user; fi
if [ -n "${SSH:-}" ]; then
  [[ $SSH =~ ^[0-9]+$ ]] || die "SSH='$SSH' is no port number"
  case $net in user | user,*) net+=,hostfwd=tcp:127.0.0.1:$SSH-:22 ;; *) die "SSH=$SSH needs NET=user" ;; esac
fi

arguments=(run --kernel "$guest/$kernel/vmlinuz" --memory "${MEMORY:-1G}" --mmu "${MMU:-auto}")
[ -z "${WINDOWS:-}" ] || arguments+=(--windows "$WINDOWS")
[ -z "${FLUSH:-}" ] || arguments+=(--flush "$FLUSH")
[ -z "${WORLD:-}" ] || arguments+=(--world "$WORLD")
[ -z "${SMP:-}" ] || arguments+=(--smp "$SMP")
[ -z "${TIMEOUT:-}" ] || arguments+=(--timeout "$TIMEOUT")
[ -z "${ROOT:-}" ] || arguments+=(--disk "${ROOT_IMAGE:-$guest/debian.ext4}" --reboot)
[ -z "${DISK:-}" ] || arguments+=(--disk "$DISK")
[ -z "$net" ] || arguments+=(--net "$net")
case ${SHARE:-} in
  '') ;;
  *,*) arguments+=(--share "$SHARE") ;;
  *) arguments+=(--share "$SHARE,share") ;;
esac
[ -z "${STATS:-}" ] || arguments+=(--stats)
append="console=ttyAMA0 ${APPEND:-}"

# Debian's own initrd, untouched.
if [ "$kernel" = installer ]; then
  [ -z "${CMD:-}" ] || die "CMD needs KERNEL=armmp or armmp-lpae: the installer's initrd has nothing that runs it"
  exec "$crosswalk" "${arguments[@]}" --initrd "$guest/installer/initrd.gz" --append "$append"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
images=$guest${NET:+/net}
[ -z "${SHARE:-}" ] || images=$guest/share
initrd=$images/initrd-$kernel.gz
status=0

if [ -n "${ROOT:-}" ]; then
  # Who may log in by ssh as root: who has the key of build/guest, and the user of this machine.
  cat "$guest/debian-key.pub" ~/.ssh/id_*.pub >"$scratch/keys" 2>/dev/null || true
  scripts/make-initramfs.py "$scratch/keys.cpio.gz" "file:authorized_keys:600:$scratch/keys"
  cat "$guest/debian/initrd-$kernel.gz" "$scratch/keys.cpio.gz" >"$scratch/initrd.gz"
  [ -n "${VERBOSE:-}" ] || append+=" quiet"
  [ -z "${SSH:-}" ] || echo "boot: ssh -p $SSH -i $guest/debian-key root@127.0.0.1   (when it has booted)" >&2
  echo "boot: log in as root, password crosswalk; 'poweroff' ends the guest, Ctrl-A x at once" >&2
  "$crosswalk" "${arguments[@]}" --initrd "$scratch/initrd.gz" --append "$append rdinit=/bin/debian-root" || status=$?
  exit $status
fi

if [ -z "${CMD:-}" ]; then exec "$crosswalk" "${arguments[@]}" --initrd "$initrd" --append "$append"; fi

# A disk of one sector, where the guest's /init leaves the command's exit status.
printf 'crosswalk-status none\n' >"$scratch/status"
truncate -s 512 "$scratch/status"
# Emergencies alone; the kernel says all that it has when it panics.
[ -n "${VERBOSE:-}" ] || append+=" loglevel=1 crosswalk_quiet=1"
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

"$crosswalk" "${arguments[@]}" --initrd "$initrd" --append "$append" --disk "$scratch/status" </dev/null || status=$?
# What 1 and 2 mean has been said.
case $status in 1 | 2) exit $status ;; esac
[ $status -eq 0 ] || { echo "boot: the guest did not power off by itself (status $status; docs/exit-status.md)" >&2; exit $status; }
reported=$(tr -d '\000' <"$scratch/status" | sed -n 's/^crosswalk-status \([0-9][0-9]*\)$/\1/p')
[ -n "$reported" ] || { echo "boot: the guest powered off without reporting the command's exit status" >&2; exit 125; }
exit "$reported"
