#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that make the VMM grow as much as they can: what it takes stays within the limits of
# docs/limits.md. SECONDS_EACH says for how long each is watched.
# Needs: crosswalk bare
# Takes: 150
set -u
. tests/boot/lib.sh

ram_mib=64
seconds_each=${SECONDS_EACH:-12}

# Raises `most_NAME` to what /proc/PID/status says, in MiB.
look() {
  local name=$1 now
  now=$(awk -v name="$name:" '$1 == name { print int($2 / 1024) }' "/proc/$2/status" 2>/dev/null)
  [ -n "$now" ] || return 0
  local -n most=most_$name
  [ "$now" -le "$most" ] || most=$now
}

# watch NAME PROGRAM RSS_LIMIT ANONYMOUS_LIMIT TABLES_LIMIT OPTIONS…, limits in MiB
watch() {
  local name=$1 program=$2 rss=$3 anonymous=$4 tables=$5 pid end
  shift 5
  most_VmRSS=0 most_RssAnon=0 most_VmPTE=0
  "$crosswalk" run --memory ${ram_mib}M --kernel "$guest/bare/$program.bin" --timeout $((seconds_each * 4)) "$@" \
    </dev/null >"$scratch/text" 2>"$scratch/err" &
  pid=$!
  end=$((SECONDS + seconds_each))
  while kill -0 $pid 2>/dev/null && [ $SECONDS -lt $end ]; do
    look VmRSS $pid
    look RssAnon $pid
    look VmPTE $pid
    sleep 0.05
  done
  if ! kill -0 $pid 2>/dev/null; then
    not_ok "$name" "ended: $(said)"
  elif ! grep -q ready "$scratch/text"; then
    not_ok "$name" "did not start: $(said)"
  elif [ "$most_VmRSS" -gt "$rss" ] || [ "$most_RssAnon" -gt "$anonymous" ] || [ "$most_VmPTE" -gt "$tables" ]; then
    not_ok "$name" "$most_VmRSS MiB resident ($rss allowed), $most_RssAnon anonymous ($anonymous), $most_VmPTE of page tables ($tables)"
  else
    ok "$name"
    echo "   $name: $most_VmRSS MiB resident, $most_RssAnon anonymous, $most_VmPTE of page tables"
  fi
  kill $pid 2>/dev/null
  wait $pid 2>/dev/null || true
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "memory/$mode" "$problem"; continue; fi
  # Twice RAM and 64 MiB of windows, and what can be reached before the next look; page tables for
  # 4,096 stretches of 2 MiB and eight times those of RAM, and what the engine has for each.
  in_parallel watch "memory/$mode/windows" grow_windows $((2 * ram_mib + 320)) 128 24 --mmu "$mode"
  # 4 MiB of code and, five times as much, what is known of it.
  in_parallel watch "memory/$mode/slow_sites" slow_sites $((2 * ram_mib + 128)) 96 8 --mmu "$mode" --code-cache 4M
done
wait
