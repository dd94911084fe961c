#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots Debian's kernels in every mode, runs the ordinary commands and compares what they print.
# REPEAT boots each so many times; POLICIES="lazy eager" with each of these flush policies instead
# of auto; BOOTS_ONLY does nothing else.
# Needs: crosswalk boot
# Takes: 200
set -u
. tests/boot/lib.sh
export CROSSWALK=$crosswalk

# The environment says what to boot; leaves $status and $scratch/text.
boot() {
  status=0
  timeout -s KILL "$(limit 320)" scripts/boot.sh </dev/null >"$scratch/out" 2>"$scratch/err" || status=$?
  tr -d '\r' <"$scratch/out" >"$scratch/text"
}

# commands KERNEL MODE POLICY RUN
commands() {
  local name="linux/$1/$2${POLICIES:+:$3}/commands${REPEAT:+/$4}" start milliseconds difference
  start=$(date +%s%N)
  KERNEL=$1 MMU=$2 FLUSH=$3 TIMEOUT="$(limit "${BOOT_LIMIT:-280}")" CMD='sh /commands.sh' boot
  milliseconds=$((($(date +%s%N) - start) / 1000000))
  sed -n '/^commands: begin$/,/^commands: end$/p' "$scratch/text" >"$scratch/commands"
  if [ "$status" != 0 ]; then not_ok "$name" "exit status $status; $(said 4)"
  elif ! difference=$(diff tests/guests/commands.expected "$scratch/commands"); then
    not_ok "$name" "other output than expected: $(echo "$difference" | head -n 4 | tr '\n' ' ')"
  else ok "$name ($milliseconds ms)"; fi
}

for run in $(seq 1 "${REPEAT:-1}"); do
  for mode in $modes; do
    for kernel in ${KERNELS:-armmp armmp-lpae}; do
      problem=$(mode_problem "$mode")
      if [ -n "$problem" ]; then skipped "linux/$kernel/$mode" "$problem"; continue; fi
      for policy in ${POLICIES:-auto}; do in_parallel commands "$kernel" "$mode" "$policy" "$run"; done
    done
  done
done
wait
[ -z "${BOOTS_ONLY:-}" ] || exit 0

# How a run ends is the same in every mode.
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT="$(limit 60)" CMD='exit 7' boot
expect_status linux/exit-status 7
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT="$(limit 60)" CMD='printf "one\ntwo\rthree\n"' boot
if [ "$status" = 0 ] && [ "$(od -c "$scratch/out")" = "$(printf 'one\ntwo\rthree\n' | od -c)" ] && [ ! -s "$scratch/err" ]; then ok linux/output-only
else not_ok linux/output-only "status $status, other output: $(said 5)"; fi
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT="$(limit 60)" CMD="printf %s '$(seq -s, 1 400)' | md5sum; exit 3" boot
if grep -q "^$(seq -s, 1 400 | tr -d '\n' | md5sum | cut -d' ' -f1)" "$scratch/text"; then expect_status linux/long-command 3
else not_ok linux/long-command "wrong output: $(said)"; fi
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT="$(limit 60)" CMD='reboot -f' boot
expect_status linux/reset "${RESET_STATUS:-3}"
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT="$(limit 60)" APPEND=panic=-1 CMD='echo c >/proc/sysrq-trigger' boot
expect_status linux/panic-reset "${RESET_STATUS:-3}"
KERNEL=armmp MMU=${END_MODE:-auto} TIMEOUT=25 CMD='echo c >/proc/sysrq-trigger' boot
expect_status linux/panic-hang "${TIMEOUT_STATUS:-4}"

# The installer's initrd, untouched: typing to its shell on the serial console.
mkfifo "$scratch/keyboard"
: >"$scratch/out"
timeout -s KILL "$(limit 150)" "$crosswalk" run --mmu "${END_MODE:-auto}" --kernel "$guest/installer/vmlinuz" --initrd "$guest/installer/initrd.gz" \
  --append "console=ttyAMA0 rdinit=/bin/sh quiet" --timeout "$(limit 120)" <"$scratch/keyboard" >"$scratch/out" 2>"$scratch/err" &
job=$!
exec 4>"$scratch/keyboard"
wait_for() {
  while ! grep -q "$1" "$scratch/out" && kill -0 $job 2>/dev/null; do sleep 0.2; done # its own limit ends it
}
wait_for '# '
echo 'echo installer-$((40 + 2)); uname -m' >&4
wait_for 'armv7l'
echo 'poweroff -f' >&4
status=0
wait $job || status=$?
exec 4>&-
tr -d '\r' <"$scratch/out" >"$scratch/text"
if grep -q '^installer-42' "$scratch/text"; then expect_status linux/installer-initrd 0
else not_ok linux/installer-initrd "no answer from its shell; status $status; $(said)"; fi

# Its first screen, with its own init.
: >"$scratch/out"
KERNEL=installer MMU=${END_MODE:-auto} TIMEOUT="$(limit 120)" scripts/boot.sh </dev/null >"$scratch/out" 2>"$scratch/err" &
job=$!
wait_for 'Choose the language'
kill $job 2>/dev/null
wait $job 2>/dev/null
tr -d '\r' <"$scratch/out" >"$scratch/text"
if grep -q 'Choose the language' "$scratch/out"; then ok linux/installer-screen; else not_ok linux/installer-screen "no screen: $(said)"; fi
