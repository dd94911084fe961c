#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a matrix of experiments (modes x flush policies x workloads x repeats) and writes a report; docs/experiments.md.

Finished cells are kept in OUTPUT/cells.jsonl: a run that was interrupted goes on, a changed matrix runs only what is
missing, what failed is tried again. Python's standard library is all it needs; gnuplot draws the plots.
"""
import argparse
import json
import os
import platform
import shlex
import statistics
import sys
import time

import cells as cells_module
import model
import processes
import report
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", default="quick", metavar="FILE", help="matrix file, or the name of one in scripts/experiments/matrices (default: quick)")
    parser.add_argument("--output", metavar="DIR", help="where results go (default: build/experiments/NAME-OF-THE-MATRIX)")
    parser.add_argument("--crosswalk", metavar="PATH", default=os.path.join(ROOT, "build/crosswalk"), help="the program under test (default: build/crosswalk)")
    parser.add_argument("--images", metavar="DIR", default=os.path.join(ROOT, "build/guest"), help="folder of the guest images (default: build/guest)")
    parser.add_argument("--modes", metavar="LIST", help="only these of the matrix's modes, or others: names, or NAME:POLICY, separated by commas")
    parser.add_argument("--flush", metavar="LIST", help="flush policies instead of the matrix's: lazy, eager, auto")
    parser.add_argument("--workloads", metavar="LIST", help="workloads or groups instead of the matrix's")
    parser.add_argument("--repeats", type=int, metavar="N", help="repeats instead of the matrix's")
    parser.add_argument("--milliseconds", type=int, metavar="N", help="time that a Linux workload is scaled to, instead of the matrix's")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="longest time of one cell, instead of the matrix's")
    parser.add_argument("--restore", action="store_true", help="let the guests of Linux workloads go on from a snapshot of one that has booted, instead of booting each")
    parser.add_argument("--no-instructions", action="store_true", help="do not count instructions (in QEMU with -icount)")
    parser.add_argument("--fresh", action="store_true", help="run again what another build of Crosswalk has run")
    parser.add_argument("--stop-after", type=int, metavar="N", help="stop after N cells, as if interrupted")
    parser.add_argument("--report-only", action="store_true", help="only write the report from what is there")
    parser.add_argument("--list-workloads", action="store_true", help="print groups and workloads")
    parser.add_argument("--slurm", action="store_true", help="write a Slurm job array and its list of cells instead of running")
    parser.add_argument("--cell", type=int, metavar="N", help="run cell N of that list (a task of the array)")
    parser.add_argument("--collect", action="store_true", help="merge what the tasks of the array wrote, and write the report")
    model.add_arguments(parser)
    return parser.parse_args()


def chosen_matrix(arguments):
    path = arguments.matrix
    if not os.path.exists(path):
        named = os.path.join(HERE, "matrices", path + ".json")
        path = named if os.path.exists(named) else path
    matrix = cells_module.read_matrix(path)
    for key in ("modes", "flush", "workloads"):
        value = getattr(arguments, key)
        if value is not None:
            matrix[key] = [word for word in value.split(",") if word]
    # Before anything is built, measured or written.
    for key in ("modes", "workloads"):
        if not matrix.get(key):
            raise ValueError(f"--{key}: the list is empty")
    workloads.expand(matrix["workloads"])
    workloads.engines_of(matrix["modes"], [], True)
    for policy in matrix.get("flush", []):
        if policy not in workloads.POLICIES:
            raise ValueError(f"--flush: unknown policy '{policy}'; give lazy, eager or auto")
    for key in ("repeats", "milliseconds", "timeout"):
        value = getattr(arguments, key)
        if value is not None:
            if value < 1:
                raise ValueError(f"--{key}: has to be at least 1")
            matrix[key] = value
    if arguments.restore:
        matrix["restore"] = True
    if arguments.no_instructions:
        matrix["instructions"] = False
    name = os.path.splitext(os.path.basename(path))[0]
    output = arguments.output or os.path.join(ROOT, "build/experiments", name)
    return matrix, name, output


def duration(seconds):
    seconds = int(seconds + 0.5)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds // 60 % 60:02} min"


def estimate(left, records):
    """Seconds that the cells left will take: as the same cell took, or its workload, or any."""
    exact, by_workload, every = {}, {}, []
    for record in records.values():
        exact.setdefault((record["engine"], record["workload"]), []).append(record["seconds"])
        by_workload.setdefault(record["workload"], []).append(record["seconds"])
        every.append(record["seconds"])
    total = 0
    for cell in left:
        known = exact.get((cell["engine"], cell["workload"])) or by_workload.get(cell["workload"]) or every or [8]
        total += statistics.median(known)
    return total


def missing_cells(plan, records, binary, fresh):
    missing = []
    for cell in plan:
        record = records.get(cell["id"])
        old = fresh and record and record.get("binary") not in (None, binary)
        if not record or record["status"] != "ok" or old:
            missing.append(cell)
    return missing


def run_missing(missing, total, settings, store, records, arguments, binary):
    unable, ran = {}, 0
    for number, cell in enumerate(missing):
        engine = cell["engine"]
        if engine in unable:
            continue
        left = [other for other in missing[number:] if other["engine"] not in unable]
        timing = {key: record for key, record in records.items() if record["status"] == "ok"}
        print(f"[{total - len(missing) + number + 1}/{total}] {engine} {cell['workload']} repeat {cell['repeat'] + 1}; "
              f"about {duration(estimate(left, timing))} left", flush=True)
        record = cells_module.run_cell(cell, settings, arguments.crosswalk, arguments.images, binary)
        store.append(record)
        records[cell["id"]] = record
        if record["status"] == "skipped":
            unable[engine] = record["reason"]
            print(f"  {engine} cannot run here: {record['reason']}", flush=True)
        elif record["status"] == "failed":
            print(f"  failed: {record['reason']}", flush=True)
        ran += 1
        if arguments.stop_after and ran >= arguments.stop_after:
            print(f"stopped after {ran} cells; run the same command again to go on")
            return False
    return True


SLURM = """#!/bin/bash
#SBATCH --job-name=crosswalk-{name}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time={minutes}
#SBATCH --output={logs}/%a.log
# One task per cell of {list_file}. Cells that must be compared with each other belong on equal
# nodes: name a partition or --constraint here. Merge the results afterwards with:
#   {collect}
set -euo pipefail
cd {root}
exec python3 {program} --cell "${{SLURM_ARRAY_TASK_ID:?}}" {options}
"""


def write_slurm(plan, missing, settings, name, output, arguments):
    list_file = os.path.join(output, "slurm-cells.json")
    with open(list_file, "w") as file:
        json.dump({"settings": settings, "cells": missing}, file, indent=1)
    logs = os.path.join(output, "logs")
    os.makedirs(logs, exist_ok=True)
    quote = shlex.quote
    program = quote(os.path.join(HERE, "run.py"))
    options = " ".join(f"--{key} {quote(os.path.abspath(value))}" for key, value in
                       (("output", output), ("crosswalk", arguments.crosswalk), ("images", arguments.images)))
    matrix = quote(os.path.abspath(arguments.matrix) if os.path.exists(arguments.matrix) else arguments.matrix)
    script = SLURM.format(name=name, last=max(len(missing) - 1, 0), minutes=settings["timeout"] // 60 + 2, logs=logs,
                          list_file=list_file, root=quote(ROOT), program=program, options=options,
                          collect=f"python3 {program} --matrix {matrix} --collect {options}")
    path = os.path.join(output, "slurm.sh")
    with open(path, "w") as file:
        file.write(script)
    os.chmod(path, 0o755)
    print(f"{len(missing)} of {len(plan)} cells are in {list_file}; submit them with: sbatch {path}")


def run_single(number, store, output, arguments, binary):
    try:
        with open(os.path.join(output, "slurm-cells.json")) as file:
            listed = json.load(file)
        cell = listed["cells"][number]
    except (OSError, ValueError, KeyError, IndexError):
        raise SystemExit(f"run.py: --cell: {output}/slurm-cells.json has no cell {number}; --slurm writes it")
    record = cells_module.run_cell(cell, listed["settings"], arguments.crosswalk, arguments.images, binary)
    record["node"] = platform.node()
    store.write_single(record)
    print(f"{cell['engine']} {cell['workload']} repeat {cell['repeat'] + 1}: {record['status']} {record.get('reason', '')}")
    return 0 if record["status"] != "failed" else 1


def main():
    arguments = parse_arguments()
    if arguments.list_workloads:
        for group, names in workloads.GROUPS.items():
            print(f"{group}: {' '.join(names)}")
        return 0
    try:
        matrix, name, output = chosen_matrix(arguments)
        store = cells_module.Store(output)
        binary = cells_module.identity(arguments.crosswalk)
        if arguments.cell is not None:
            return run_single(arguments.cell, store, output, arguments, binary)
        flush_known = workloads.knows_flush(arguments.crosswalk)
        plan, settings = cells_module.plan(matrix, flush_known)
    except ValueError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    if not flush_known and matrix.get("flush"):
        print(f"run.py: {arguments.crosswalk} has no --flush: the axis of flush policies is left out")
    for engine in list(dict.fromkeys(cell["engine"] for cell in plan)):
        program = workloads.missing_program(engine)
        if program:
            print(f"run.py: {program} is not installed: {engine} is left out")
            plan = [cell for cell in plan if cell["engine"] != engine]
    store.exclusive()
    if arguments.collect:
        print(f"{store.collect()} new results")
    records = store.load()
    if not arguments.collect and not arguments.report_only:
        problem = workloads.check_images(plan, settings, arguments.images)
        if problem:
            print(f"run.py: {problem}", file=sys.stderr)
            return 2
        others = sum(1 for cell in plan if records.get(cell["id"], {}).get("binary") not in (None, binary))
        if others and not arguments.fresh:
            print(f"run.py: {others} finished cells are another build's and are kept; --fresh runs them again")
        missing = missing_cells(plan, records, binary, arguments.fresh)
        if any(workloads.restores(cell, settings) for cell in missing):
            settings["snapshot"] = os.path.join(os.path.abspath(output), "guest.snapshot")
            print("a guest boots, to be saved for the others")
            if problem := cells_module.save_guest(settings["snapshot"], settings, arguments.crosswalk, arguments.images):
                print(f"run.py: --restore: {problem}", file=sys.stderr)
                return 2
        if arguments.slurm:
            write_slurm(plan, missing, settings, name, output, arguments)
            return 0
        print(f"{len(plan)} cells, {len(plan) - len(missing)} finished; results go to {output}")
        started = time.time()
        if not run_missing(missing, len(plan), settings, store, records, arguments, binary):
            return 0
        print(f"done in {duration(time.time() - started)}")
    wanted = {cell["id"] for cell in plan}
    shown = [record for key, record in records.items() if key in wanted]
    report.write(output, name, matrix, plan, shown, model.costs_from(arguments))
    print(f"report: {os.path.join(output, 'report.md')} and report.html")
    return 1 if any(record["status"] == "failed" for record in shown) else 0


if __name__ == "__main__":
    sys.exit(processes.run_to_end(main))
