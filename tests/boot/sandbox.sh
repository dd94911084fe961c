#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A running Crosswalk as the host's kernel sees it: every thread confined, no page writable and
# executable, in each mode; without, with --sandbox off. Outputs of options and disks are served all
# the same.
# Needs: crosswalk bare
set -u
. tests/boot/lib.sh
kernel=$guest/bare/bad_hang.elf

# start ARGUMENTS…: a guest that runs for ever; $pid is its process once it runs.
start() {
  # Output before it hangs says that the guest runs.
  : >"$scratch/out"
  "$crosswalk" run --semihosting --kernel "$kernel" --timeout 60 "$@" </dev/null >"$scratch/out" 2>"$scratch/err" &
  pid=$!
  for _ in $(seq 300); do
    grep -q hanging "$scratch/out" && return 0
    [ -d "/proc/$pid" ] || break
    sleep 0.1
  done
  return 1
}
finish() {
  kill -TERM "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  cp "$scratch/out" "$scratch/text"
}

# of_every_thread FIELD VALUE: prints those that have another one. KVM's own thread in a process
# that has a VM is part of the kernel.
of_every_thread() {
  local status
  for status in /proc/"$pid"/task/*/status; do
    awk -v field="$1:" -v value="$2" '$1 == "Name:" {name = $2}
      $1 == field && $2 != value && name !~ /^kvm-nx-lpage/ {print name " has " $1 " " $2}' "$status"
  done
}

# confined NAME ARGUMENTS…
confined() {
  local name=$1 wrong
  shift
  if ! start "$@"; then finish; not_ok "$name" "the guest does not run: $(said)"; return; fi
  # A thread that has just been started is not there yet.
  for _ in $(seq 50); do
    wrong=$(of_every_thread Seccomp 2; of_every_thread NoNewPrivs 1
      for set in CapInh CapPrm CapEff CapAmb; do of_every_thread $set 0000000000000000; done
      awk '$2 ~ /w.*x|x.*w/ {print "writable and executable: " $0}' "/proc/$pid/maps"
      [ "$(ls "/proc/$pid/task" | wc -l)" -ge 3 ] || echo "fewer threads than expected")
    [ -n "$wrong" ] || break
    sleep 0.1
  done
  finish
  if [ -n "$wrong" ]; then not_ok "$name" "$(echo "$wrong" | head -n 4 | tr '\n' ';')"; else ok "$name"; fi
}

if "$crosswalk" run --kernel "$kernel" --semihosting --timeout 1 </dev/null 2>&1 | grep -q 'built with a sanitizer'; then
  skipped sandbox "built with a sanitizer"
  exit 0
fi
for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "sandbox/$mode" "$problem"; continue; fi
  confined "sandbox/$mode" --mmu "$mode"
done
problem=$(mode_problem shadow)
if [ -n "$problem" ]; then skipped sandbox/soft-in-kvm "$problem"; else confined sandbox/soft-in-kvm --mmu soft --world kvm; fi
confined sandbox/network --mmu soft --net user
confined sandbox/share --mmu soft --share "$scratch,tag"

if ! start --mmu soft --sandbox off; then not_ok sandbox/off "the guest does not run: $(said)"
elif [ -n "$(of_every_thread Seccomp 0)" ]; then not_ok sandbox/off "a thread is confined: $(of_every_thread Seccomp 0)"
else ok sandbox/off; fi
finish

# All that options write, with everything on.
for world in process kvm; do
  if [ $world = kvm ] && [ -n "$problem" ]; then skipped sandbox/outputs-kvm "$problem"; continue; fi
  sh -c 'echo $$ >"$0"; exec "$@"' "$scratch/pid" "$crosswalk" run --semihosting --mmu soft --world $world --kernel "$guest/bare/bad_tables.elf" \
    --timeout 20 --stats --stats-json "$scratch/stats.json" --trace "$scratch/trace.json" --log-file "$scratch/log" --log in_asm,out_asm,exec --perf-map \
    </dev/null >"$scratch/text" 2>"$scratch/err"
  status=$?
  map=/tmp/perf-$(cat "$scratch/pid").map
  if [ $status != 0 ]; then not_ok sandbox/outputs-$world "exit status $status; $(said)"
  elif ! python3 -m json.tool <"$scratch/stats.json" >/dev/null 2>>"$scratch/err"; then not_ok sandbox/outputs-$world "no statistics: $(said)"
  elif ! python3 -m json.tool <"$scratch/trace.json" >/dev/null 2>>"$scratch/err"; then not_ok sandbox/outputs-$world "no trace: $(said)"
  elif ! [ -s "$scratch/log" ] || ! [ -s "$map" ]; then not_ok sandbox/outputs-$world "no log or no perf map"
  else ok sandbox/outputs-$world; fi
  rm -f "$map"
done
