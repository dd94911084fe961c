#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the host gives a guest, and what it does not: closed standard files, disks that others use,
# limits on files, semihosting's directory, the second console.
# Needs: crosswalk boot bare
# Takes: 40
set -u
. tests/boot/lib.sh
mode=${END_MODE:-auto}
bare=$guest/bare

# Guest output that nobody takes is not written to whatever was opened next. The closed files are
# the first arguments.
closed() {
  local name=host/closed-$1 closing=$2 mode problem
  for mode in soft mmap hybrid shadow; do
    problem=$(mode_problem "$mode")
    if [ -n "$problem" ]; then skipped "$name/$mode" "$problem"; continue; fi
    truncate -s 0 "$scratch/disk" && truncate -s 1M "$scratch/disk"
    : >"$scratch/text"
    : >"$scratch/err"
    status=0
    CLOSING=$closing timeout -s KILL "$(limit 60)" bash -c 'eval "exec $CLOSING"; exec "$@"' - "$crosswalk" run --semihosting --mmu "$mode" \
      --kernel "$bare/quiet_ram.bin" --disk "$scratch/disk" --timeout "$(limit 30)" </dev/null >"$scratch/text" 2>"$scratch/err" || status=$?
    if ! cmp -s -n 1048576 "$scratch/disk" /dev/zero; then not_ok "$name/$mode" "the disk has changed"
    else expect_status "$name/$mode" 0; fi
  done
}
closed stdin '<&-'
closed stdout '>&-'
closed stderr '2>&-'
closed all '<&- >&- 2>&-'
status=0
"$crosswalk" info >&- 2>"$scratch/err" || status=$?
expect_status host/closed-stdout-of-info 0
status=0
"$crosswalk" run --kernel /nonexistent 2>&- || status=$?
expect_status host/closed-stderr-of-an-error 2

# One writer or many readers, in this program and in QEMU.
# held_by ours|qemu FLAGS: opens the disk until `release`.
held_by() {
  if [ "$1" = ours ]; then
    "$crosswalk" run --mmu soft --kernel "$bare/bad_hang.bin" --disk "$scratch/disk$2" --timeout "$(limit 120)" </dev/null >/dev/null 2>"$scratch/held" &
  else
    scripts/run-in-qemu.sh run --kernel "$bare/bad_hang.bin" --disk "$scratch/disk$2" </dev/null >/dev/null 2>"$scratch/held" &
  fi
  holder=$!
  # Until it has locked the disk: QEMU takes byte 201 last.
  for _ in $(seq "$(limit 300)"); do
    grep -q "$(printf '%02x:%02x:%d 201 ' $(stat -c '%Hd %Ld %i' "$scratch/disk"))" /proc/locks && return
    kill -0 "$holder" || return
    sleep 0.1
  done
}
release() {
  kill "$holder" || cat "$scratch/held"
  wait "$holder" 2>/dev/null
}
# opens ours|qemu FLAGS: leaves $status: 0 when it may.
opens() {
  status=0
  if [ "$1" = ours ]; then
    guest_run --semihosting --mmu soft --kernel "$bare/hello.bin" --disk "$scratch/disk$2" --timeout "$(limit 30)"
    [ "$status" != 42 ] || status=0
  else
    timeout -s KILL "$(limit 60)" scripts/run-in-qemu.sh run --kernel "$bare/hello.bin" --disk "$scratch/disk$2" </dev/null >"$scratch/text" 2>"$scratch/err" || status=$?
    [ "$status" != 42 ] || status=0
  fi
}
# lock HOLDER FLAGS SECOND FLAGS STATUS
lock() {
  local name="host/disk-lock/$1${2:-,write}-$3${4:-,write}"
  held_by "$1" "$2"
  opens "$3" "$4"
  release
  if [ "$5" = 2 ] && [ "$3" = ours ] && ! grep -q -- "--disk: $scratch/disk" "$scratch/err"; then not_ok "$name" "does not name the file: $(said)"
  else expect_status "$name" "$5"; fi
}
lock ours '' ours '' 2
lock ours '' ours ,readonly 2
lock ours ,readonly ours '' 2
lock ours ,readonly ours ,readonly 0
if command -v qemu-system-arm >/dev/null; then
  lock qemu '' ours '' 2
  lock qemu '' ours ,readonly 2
  lock qemu ,readonly ours '' 2
  lock qemu ,readonly ours ,readonly 0
  lock ours '' qemu '' 1
  lock ours '' qemu ,readonly 1
  lock ours ,readonly qemu '' 1
  lock ours ,readonly qemu ,readonly 0
else
  skipped host/disk-lock/qemu "no qemu-system-arm"
fi

# A limit on the size of files is an error of the disk for the guest.
export CMD='for d in /dev/vd?; do [ "$(cat /sys/block/${d##*/}/size)" = 2048 ] && disk=$d; done
  dd if=/dev/zero of=$disk bs=4k count=1 oflag=direct || exit 1
  dd if=/dev/zero of=$disk bs=4k seek=200 count=1 oflag=direct && exit 2; exit 9'
status=0
(ulimit -f 512; DISK=$scratch/disk KERNEL=armmp MMU=soft TIMEOUT="$(limit 60)" CROSSWALK=$crosswalk timeout -s KILL "$(limit 120)" scripts/boot.sh) </dev/null 2>&1 |
  head -c 100000 >"$scratch/text"
status=${PIPESTATUS[0]}
expect_status host/disk-beyond-ulimit 9

# Semihosting's directory.
for mode_of_files in soft mmap shadow; do
  problem=$(mode_problem "$mode_of_files")
  if [ -n "$problem" ]; then skipped "host/semihosting-files/$mode_of_files" "$problem"; continue; fi
  rm -rf "$scratch/top"
  mkdir -p "$scratch/top/files/folder"
  echo secret >"$scratch/top/secret"
  echo input >"$scratch/top/files/input"
  mkfifo "$scratch/top/files/fifo"
  ln -s .. "$scratch/top/files/link"
  guest_run --semihosting-files "$scratch/top/files" --mmu "$mode_of_files" --kernel "$bare/semihosting_files.bin" --timeout "$(limit 30)"
  if [ "$(cat "$scratch/top/secret" "$scratch/top/files/folder/output" 2>/dev/null | tr '\n' ' ')" != "secret input " ]; then
    not_ok "host/semihosting-files/$mode_of_files" "other files than expected; $(said)"
  elif ! grep -q '^to standard error$' "$scratch/err"; then
    not_ok "host/semihosting-files/$mode_of_files" "nothing on standard error; $(said)"
  else expect_status "host/semihosting-files/$mode_of_files" 0; fi
done

# The virtio console: only when asked for, and then it is what is typed to.
# console NAME EXPECTED ARGUMENTS…
mkfifo "$scratch/keyboard"
console() {
  local name=host/console-$1 expected=$2 command job
  shift 2
  command=$(printf %s 'if [ -e /dev/hvc0 ]; then exec </dev/hvc0; fi; echo type-now; read -r line
    echo "devices" $(cat /sys/bus/virtio/devices/*/device | sort) got $line' | base64 -w0)
  : >"$scratch/out"
  timeout -s KILL "$(limit 150)" "$crosswalk" run --mmu "$mode" --kernel "$guest/armmp/vmlinuz" --initrd "$guest/initrd-armmp.gz" \
    --append "console=ttyAMA0 quiet crosswalk.cmd=$command" --timeout "$(limit 120)" "$@" <"$scratch/keyboard" >"$scratch/out" 2>"$scratch/err" &
  job=$!
  exec 4>"$scratch/keyboard"
  while ! grep -q type-now "$scratch/out" && kill -0 $job 2>/dev/null; do sleep 0.2; done
  echo typed >&4
  exec 4>&-
  status=0
  wait $job || status=$?
  tr -d '\r' <"$scratch/out" >"$scratch/text"
  if ! grep -q "^$expected\$" "$scratch/text"; then not_ok "$name" "'$expected' is not in: $(said 4)"
  else expect_status "$name" 0; fi
}
console pl011 'devices 0x0004 got typed'
console virtio 'devices 0x0003 0x0004 got typed' --console virtio
