#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --trace, --perf-map, --stats-by-asid and --count-instructions with a bare-metal guest that makes
# tables, faults and flushes.
# Needs: crosswalk bare
set -u
. tests/boot/lib.sh
kernel=$guest/bare/bad_tables.elf

# check_trace FILE NAME…: valid JSON, beginnings in order on each track, slices nested, and events
# of these names.
check_trace() {
  python3 - "$@" <<'PYTHON'
import collections
import json
import sys

with open(sys.argv[1]) as file:
    trace = json.load(file)
last = collections.defaultdict(float)
open_ends = collections.defaultdict(list)
names = collections.Counter()
for event in trace["traceEvents"]:
    if event["ph"] == "M":
        continue
    names[event["name"]] += 1
    track = event["tid"]
    begin = round(event["ts"] * 1000)
    end = begin + round(event.get("dur", 0) * 1000)
    assert begin >= last[track], f"{event} begins before the one in front of it"
    last[track] = begin
    while open_ends[track] and open_ends[track][-1] <= begin:
        open_ends[track].pop()
    assert not open_ends[track] or end <= open_ends[track][-1], f"{event} ends after the one it is in"
    open_ends[track].append(end)
    assert "asid" in event["args"], f"{event} has no asid"
for name in sys.argv[2:]:
    assert names[name], f"no event '{name}' among {dict(names)}"
assert sum(names.values()) == trace["otherData"]["events"], "the number of events is wrong"
PYTHON
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "observability/trace-$mode" "$problem"; continue; fi
  expected=(translate "device write" "exception: Data Abort" "flush: all" "ASID 0 privileged")
  case $mode in
    soft* | hybrid) ;; # this guest is too short for hybrid to make a window
    kmod) expected+=("filled by the kernel module" "window fault: guest fault") ;;
    *) expected+=("window fault: installed" "window fault: guest fault") ;;
  esac
  # The end of the run; such a short guest need not make a system call.
  case $mode in shadow | ept) expected+=("exit: other") ;; esac
  guest_run --semihosting --mmu "$mode" --kernel "$kernel" --timeout "$(limit 60)" --trace "$scratch/trace.json"
  if [ "$status" != 0 ]; then not_ok "observability/trace-$mode" "exit status $status; $(said)"
  elif check_trace "$scratch/trace.json" "${expected[@]}" 2>"$scratch/err"; then ok "observability/trace-$mode"
  else not_ok "observability/trace-$mode" "$(said)"; fi
done

guest_run --semihosting --mmu soft --kernel "$kernel" --timeout "$(limit 60)" --trace "$scratch/trace.json" --trace-events 100
if check_trace "$scratch/trace.json" 2>"$scratch/err" &&
  python3 -c 'import json,sys; d=json.load(open(sys.argv[1]))["otherData"]; sys.exit(not (d["dropped events"] > 0 and d["events"] == 100))' "$scratch/trace.json"
then ok observability/trace-dropped; else not_ok observability/trace-dropped "$(said)"; fi

# Several CPUs, of which this guest uses one: tracks and numbers of each.
for mode in soft shadow; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "observability/smp-$mode" "$problem"; continue; fi
  guest_run --semihosting --smp 3 --mmu "$mode" --kernel "$kernel" --timeout "$(limit 60)" --trace "$scratch/trace.json" \
    --stats-json "$scratch/stats.json" --count-instructions --stats-by-asid
  if [ "$status" != 0 ]; then not_ok "observability/smp-$mode" "exit status $status; $(said)"
  elif check_trace "$scratch/trace.json" translate 2>"$scratch/err" && python3 - "$scratch/stats.json" "$scratch/trace.json" 2>"$scratch/err" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    stats = json.load(file)
sys.path.append("scripts")
import conditions
assert tuple(stats["conditions"]) == conditions.KEYS, stats["conditions"]
cpus = stats["cpus"]
assert [cpu["cpu"] for cpu in cpus] == [0, 1, 2], cpus
for name, total in (("instructions", "guest instructions executed"), ("interrupts", "interrupts"), ("window faults", "window faults")):
    assert sum(cpu[name] for cpu in cpus) == stats["engine"][total], name
assert cpus[0]["instructions"] > 0 and cpus[1]["instructions"] == 0 and cpus[1]["on s"] == 0, cpus
with open(sys.argv[2]) as file:
    tracks = [e["args"]["name"] for e in json.load(file)["traceEvents"] if e["name"] == "thread_name"]
assert tracks == [f"CPU {n}{what}" for n in range(3) for what in ("", ": address space")], tracks
PYTHON
  then ok "observability/smp-$mode"
  else not_ok "observability/smp-$mode" "$(said)"; fi
done

# The map is named by the process that writes it: run it without anything in between.
rm -f "$scratch/pid"
sh -c 'echo $$ >"$0"; exec "$@"' "$scratch/pid" "$crosswalk" run --semihosting --mmu soft --kernel "$kernel" --timeout "$(limit 60)" --perf-map \
  </dev/null >"$scratch/text" 2>"$scratch/err"
map=/tmp/perf-$(cat "$scratch/pid").map
if [ ! -s "$map" ]; then not_ok observability/perf-map "no $map; $(said)"
elif grep -qvE '^[0-9a-f]+ [0-9a-f]+ [^ ].*$' "$map"; then not_ok observability/perf-map "bad line: $(grep -vE '^[0-9a-f]+ [0-9a-f]+ [^ ].*$' "$map" | head -n 1)"
elif ! grep -q ' crosswalk_enter$' "$map"; then not_ok observability/perf-map "no crosswalk_enter in $map"
elif ! grep -q ' main$' "$map"; then not_ok observability/perf-map "no main in $map"
elif ! grep -q ' _start+0x' "$map"; then not_ok observability/perf-map "no _start+offset in $map"
else ok observability/perf-map; fi
rm -f "$map"

# Without symbols, addresses name the blocks.
sh -c 'echo $$ >"$0"; exec "$@"' "$scratch/pid" "$crosswalk" run --semihosting --mmu soft --kernel "${kernel%.elf}.bin" --timeout "$(limit 60)" --perf-map \
  </dev/null >"$scratch/text" 2>"$scratch/err"
map=/tmp/perf-$(cat "$scratch/pid").map
if grep -q ' guest_0x40010000 \[kernel\]$' "$map"; then ok observability/perf-map-addresses
else not_ok observability/perf-map-addresses "no guest_0x40010000 in $map; $(said)"; fi
rm -f "$map"

guest_run --semihosting --mmu soft --kernel "$kernel" --timeout "$(limit 60)" --stats-json "$scratch/stats.json" --stats-by-asid --count-instructions
if python3 - "$scratch/stats.json" 2>>"$scratch/err" <<'PYTHON'
import json
import sys

stats = json.load(open(sys.argv[1]))
engine, asids = stats["engine"], stats["by ASID"]
assert engine["guest instructions executed"] > engine["blocks executed"] > 1000, engine
assert engine["guest instructions a second"] > 0
assert asids[0]["asid"] == 0 and asids[0]["privileged s"] > 0, asids
assert sum(a["walks"] for a in asids) == stats["mmu"]["walks"], asids
assert sum(a["data aborts"] for a in asids) == engine["data aborts"], asids
PYTHON
then ok observability/by-asid; else not_ok observability/by-asid "$(said)"; fi

# Each implies --stats when nothing else would show it.
guest_run --semihosting --mmu soft --kernel "$kernel" --timeout "$(limit 60)" --stats-by-asid
if grep -q '^by ASID' "$scratch/err"; then ok observability/by-asid-table; else not_ok observability/by-asid-table "$(said)"; fi
