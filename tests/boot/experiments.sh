#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The experiments: a small matrix is interrupted and goes on where it was, its report has the tables
# that it should have, a matrix for a cluster is valid, and every workload of the experiments gives
# right results.
# Needs: crosswalk bench
# Takes: 60
set -u
. tests/boot/lib.sh

run=scripts/experiments/run.py
for needed in bare/bench_flush.bin initrd-bench.gz bench/bench-native; do
  if [ ! -f "$guest/$needed" ]; then not_ok experiments "no $guest/$needed; 'make guest' makes it"; exit 1; fi
done

workloads() {
  local status=0
  timeout -s KILL "$(limit 200)" "$crosswalk" bench --mmu soft --images "$guest" --repeat 1 --milliseconds 2 --workloads experiment --timeout "$(limit 180)" \
    >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" != 0 ]; then not_ok experiments/workloads "status $status: $(said 3)"
  elif ! grep -q '^mmap_churn .*s' "$scratch/text"; then not_ok experiments/workloads "no row of mmap_churn: $(said 4)"
  else ok experiments/workloads; fi
}

# The files of a folder's report hold these texts.
report_has() {
  local file=$1 text
  shift
  [ -s "$file" ] || { echo "no $file"; return; }
  for text in "$@"; do grep -qF -- "$text" "$file" || echo "$file lacks '$text';"; done
}

matrix() {
  cat >"$scratch/matrix.json" <<JSON
{"modes": ["soft", "mmap"], "workloads": ["getppid", "bare_flush"], "repeats": 1, "milliseconds": 50, "timeout": $(limit 120), "instructions": false}
JSON
  local output=$scratch/output status=0 before after problem
  local options=(--matrix "$scratch/matrix.json" --output "$output" --crosswalk "$crosswalk" --images "$guest")
  # Stopped after a cell, and cut off in the middle of writing the next one's line.
  timeout -s KILL "$(limit 200)" "$run" "${options[@]}" --stop-after 1 >"$scratch/text" 2>"$scratch/err" || status=$?
  before=$(cat "$output/cells.jsonl" 2>/dev/null)
  if [ "$status" != 0 ] || [ "$(wc -l <"$output/cells.jsonl")" != 1 ]; then not_ok experiments/stop "status $status: $(said 3)"; return; fi
  ok experiments/stop
  printf '{"id": "cut sho' >>"$output/cells.jsonl"

  timeout -s KILL "$(limit 400)" "$run" "${options[@]}" >"$scratch/text" 2>"$scratch/err" || status=$?
  # boot, preparation of getppid, getppid and bare_flush in both modes
  after=$(grep -c '"status": "ok"' "$output/cells.jsonl")
  if [ "$status" != 0 ]; then not_ok experiments/continue "status $status: $(said 3)"
  elif [ "$(head -n 1 "$output/cells.jsonl")" != "$before" ]; then not_ok experiments/continue "the finished cell's line, with its time, has changed"
  elif [ "$after" != 8 ]; then not_ok experiments/continue "$after cells, expected 8"
  else ok experiments/continue; fi

  after=$(cksum <"$output/cells.jsonl")
  timeout -s KILL "$(limit 200)" "$run" "${options[@]}" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 0 ] && [ "$(cksum <"$output/cells.jsonl")" = "$after" ] && grep -q '8 cells, 8 finished' "$scratch/text"; then ok experiments/repeat
  else not_ok experiments/repeat "a finished matrix ran again: $(said 3)"; fi

  problem=$(
    report_has "$output/report.md" '## Speed-up' '| getppid |' '## Cost of a flush' '| soft | ' '## Translation events' \
      'Not in this run: rates per instruction' '### Counts per operation' '## Time split' 'THIS IS A PREDICTION' '### Model error' \
      '| flush_1024_use_1024 |' '| Crosswalk | ' '| host | ' '| load average | '
    report_has "$output/report.html" ">Cost of a flush</h2>" '<td>getppid</td>' '</html>'
    report_has "$output/results.csv" 'engine,mode,flush,group,workload,row,repeat' 'soft,soft,,system,getppid,getppid,1,'
    report_has "$output/counters.csv" ',soft,soft,,system,getppid,1,walks,'
    ! command -v gnuplot >/dev/null || report_has "$output/report.html" '<svg'
  )
  if [ -z "$problem" ]; then ok experiments/report; else not_ok experiments/report "$problem"; fi

  status=0
  timeout -s KILL "$(limit 120)" "$run" "${options[@]}" --repeats 2 --slurm >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" != 0 ]; then not_ok experiments/slurm "status $status: $(said 3)"; return; fi
  if ! bash -n "$output/slurm.sh" 2>"$scratch/err"; then not_ok experiments/slurm "the script is not valid: $(said 2)"
  elif ! grep -q '^#SBATCH --array=0-5$' "$output/slurm.sh"; then not_ok experiments/slurm "not 6 cells: $(grep array "$output/slurm.sh")"
  # Task 5 is bare_flush of the second mode.
  elif ! SLURM_ARRAY_TASK_ID=5 timeout -s KILL "$(limit 120)" bash "$output/slurm.sh" >"$scratch/text" 2>"$scratch/err"; then not_ok experiments/slurm "the task: $(said 3)"
  elif ! timeout -s KILL "$(limit 120)" "$run" "${options[@]}" --repeats 2 --collect >"$scratch/text" 2>"$scratch/err" || ! grep -q '^1 new results' "$scratch/text"; then
    not_ok experiments/slurm "collecting: $(said 3)"
  elif [ "$(grep -c '"status": "ok"' "$output/cells.jsonl")" != 9 ]; then not_ok experiments/slurm "the task's result was not merged"
  else ok experiments/slurm; fi
}

bad_options() {
  local status=0
  "$run" --matrix "$scratch/none.json" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 2 ] && grep -q 'cannot read' "$scratch/err"; then ok experiments/no_matrix; else not_ok experiments/no_matrix "status $status: $(said)"; fi
  status=0
  "$run" --workloads nonsense --output "$scratch/bad" --crosswalk "$crosswalk" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 2 ] && grep -q "unknown workload 'nonsense'.*getppid" "$scratch/err"; then ok experiments/bad_workload; else not_ok experiments/bad_workload "status $status: $(said)"; fi
  # At once: there is no such program, and nothing is written.
  status=0
  "$run" --modes sof --output "$scratch/bad2" --crosswalk "$scratch/none" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 2 ] && [ ! -e "$scratch/bad2" ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q "unknown mode 'sof'.*hybrid" "$scratch/err"; then ok experiments/bad_mode
  else not_ok experiments/bad_mode "status $status: $(said)"; fi
}

# Guests that go on from one that has booted, in every mode: with the same checks of results.
restored() {
  local saved=$scratch/saved problem line
  mkdir "$saved"
  saved_bench() {
    status=0
    timeout -s KILL "$(limit 400)" "$crosswalk" bench --images "$guest" --repeat 1 --slices 1 --milliseconds 2 --memory 256M \
      --timeout "$(limit 180)" --snapshots "$saved" --json "$scratch/saved.json" "$@" >"$scratch/text" 2>"$scratch/err" || status=$?
  }
  saved_bench --baseline qemu --workloads getppid,crc32_bitwise,fork_wait
  problem=$(python3 - "$scratch/saved.json" 2>&1 <<'PYTHON'
import json, sys
for name, engine in json.load(open(sys.argv[1]))["engines"].items():
    if not engine["skipped"] and set(engine["workloads"]) != {"getppid", "crc32_bitwise", "fork_wait"}:
        print(name, "has", *engine["workloads"])
PYTHON
)
  if [ "$status" != 0 ] || [ -n "$problem" ]; then not_ok experiments/bench-restored "status $status: $problem $(said 3)"
  elif [ "$(grep -c 'a guest boots, to be saved' "$scratch/err")" != 1 ]; then not_ok experiments/bench-restored "not one guest booted: $(said 3)"
  else ok experiments/bench-restored; fi

  # Again, with other work, and what a boot takes: from the same snapshot. One that is old is made
  # anew.
  saved_bench --mmu mmap --workloads qsort_ints,boot
  line=$(grep -c 'a guest boots, to be saved' "$scratch/err")
  if [ "$status" != 0 ] || [ "$line" != 0 ] || ! grep -q '^qsort_ints .*s' "$scratch/text" || ! grep -q '^start_to_user_space .*s' "$scratch/text"; then
    not_ok experiments/bench-restored-again "status $status, $line new boots: $(said 3)"
  else ok experiments/bench-restored-again; fi
  touch -d '2001-02-03' "$saved"/*.snapshot
  saved_bench --mmu soft --workloads getppid
  if [ "$status" = 0 ] && grep -q 'a guest boots, to be saved' "$scratch/err"; then ok experiments/bench-restored-old; else not_ok experiments/bench-restored-old "status $status: $(said 3)"; fi
  # One that is none is refused with its name.
  echo nonsense >"$(ls "$saved"/*.snapshot)"
  saved_bench --mmu soft --workloads getppid
  if [ "$status" != 0 ] && grep -q 'bench-armmp-256M-smp1.snapshot' "$scratch/err"; then ok experiments/bench-restored-bad; else not_ok experiments/bench-restored-bad "status $status: $(said 3)"; fi
  saved=$scratch/nothing
  saved_bench --mmu soft --workloads getppid
  if [ "$status" = 2 ] && grep -q 'is not a folder; make it first' "$scratch/err"; then ok experiments/bench-no-folder; else not_ok experiments/bench-no-folder "status $status: $(said 3)"; fi

  cat >"$scratch/restored.json" <<JSON
{"modes": ["soft", "mmap"], "workloads": ["getppid"], "repeats": 1, "milliseconds": 50, "timeout": $(limit 120), "instructions": false}
JSON
  status=0
  timeout -s KILL "$(limit 400)" "$run" --matrix "$scratch/restored.json" --output "$scratch/restored" --crosswalk "$crosswalk" --images "$guest" --restore \
    >"$scratch/text" 2>"$scratch/err" || status=$?
  # boot, preparation of getppid and getppid, in both modes; of these only the boots have booted.
  problem=$(python3 - "$scratch/restored/cells.jsonl" 2>&1 <<'PYTHON'
import json, sys
cells = [json.loads(line) for line in open(sys.argv[1])]
booted = sorted(cell["workload"] for cell in cells if "boot_seconds" in cell)
print(len(cells), *booted, *{cell["status"] for cell in cells})
PYTHON
)
  if [ "$status" = 0 ] && [ "$problem" = '6 boot boot ok' ]; then ok experiments/restored; else not_ok experiments/restored "status $status: $problem; $(said 3)"; fi
}

parts() {
  local status=0
  { python3 tests/scripts/experiments_test.py && python3 tests/scripts/report_test.py; } >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 0 ]; then ok experiments/parts; else not_ok experiments/parts "$(grep -E '^(ERROR|FAIL|[A-Za-z]*Error)' "$scratch/err" | tr '\n' ' ' | head -c 400)"; fi
}

in_parallel parts
in_parallel workloads
in_parallel matrix
in_parallel restored
in_parallel bad_options
wait
