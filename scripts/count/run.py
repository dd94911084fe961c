#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts host instructions per operation: workloads in modes of Crosswalk, in QEMU and as native code, in an emulated
machine with nested paging whose clock is the number of executed instructions. docs/counting.md says how and what for.

A cell that is done is not run again: interrupt it and start it as you like.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time

import cells
import conditions  # cells says where it is
import machine
import processes  # cells says where it is
import report
import tidy

ROOT = machine.ROOT


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="MODES=WORKLOADS",
                        help="several sets of cells, instead of --modes and --workloads")
    parser.add_argument("--modes", default="native,qemu,soft-call,soft,mmap,shadow,ept,hybrid@kvm,hybrid@process",
                        help="engines, separated by commas: MODE[:POLICY][@WORLD][+OPTION...], qemu, native "
                             "(default: %(default)s)")
    parser.add_argument("--workloads", default="compute,system,boot,program",
                        help="names or groups (default: %(default)s); --list names them")
    parser.add_argument("--list", action="store_true", help="print the workloads and groups")
    parser.add_argument("--output", default="build/count", help="folder of the results (default: %(default)s)")
    parser.add_argument("--crosswalk", default="build/crosswalk")
    parser.add_argument("--images", default="build/guest", help="guest images (default: %(default)s)")
    parser.add_argument("--tools", default="build/count-tools", help="count-run and split.so (default: %(default)s)")
    parser.add_argument("--kernel", default="armmp", choices=("armmp", "armmp-lpae"))
    parser.add_argument("--memory", default="512M", help="of the guest (default: %(default)s)")
    parser.add_argument("--milliseconds", type=float, default=100,
                        help="million instructions that a Linux workload is scaled to (default: %(default)s)")
    parser.add_argument("--no-split", dest="split", action="store_false",
                        help="do not count by translated code, engine and host kernel: a quarter faster")
    parser.add_argument("--functions", type=int, default=0, metavar="N",
                        help="also print the N functions of the engine that take most, for each measurement")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="machines at a time (default: %(default)s)")
    parser.add_argument("--timeout", type=int, default=10800, help="seconds for one machine (default: %(default)s)")
    parser.add_argument("--again", action="store_true", help="run each cell, also those that are done")
    parser.add_argument("--twice", action="store_true", help="run each cell a second time, and print how much rows differ")
    parser.add_argument("--expected", help="compare with this file of figures; what is worse than allowed fails")
    parser.add_argument("--write-expected", metavar="FILE", help="write such a file")
    return parser.parse_args()


def digest_of(path, known={}):  # noqa: B006: a cache of this run
    if path not in known:
        with open(path, "rb") as file:
            known[path] = hashlib.sha256(file.read()).hexdigest()
    return known[path]


def key_of(cell, settings, programs, files):
    """What a cell's result depends on."""
    sources = [f"{ROOT}/tests/guests/count/{name}" for name in ("init", "count-run.c", "split.c")]
    sources += [f"{ROOT}/scripts/count/machine.py", f"{settings['machine']}/vmlinuz"]
    parts = [cells.command_of(cell, settings), cells.preparation_of(cell), settings["split"],
             [digest_of(path) for path in programs + sorted(files.values()) + sources]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def name_of(cell):
    names = cell["workloads"]
    what = names[0] if len(names) == 1 else f"{len(names)} workloads ({names[0]} ...)"
    return f"{what} in {cell['engine']}"


def say(text):
    sys.stderr.write(f"count: {text}\n")  # in one piece: threads do so


def run_cell(cell, settings, path):
    name = name_of(cell)
    say(f"{name}: starts")
    programs, files = cells.files_of(cell, settings)
    record = {**cell, "problem": None, "rows": {}}
    around = conditions.start(cells.command_of(cell, settings), settings["crosswalk"])
    try:
        lines, split = machine.run(cells.command_of(cell, settings), cells.preparation_of(cell), programs, files, settings,
                                   lambda line: say(f"{name}: {line}"))
        record.update(machine.parse(lines, split, programs[0] if programs else ""))
    except machine.CellError as error:
        record["problem"] = str(error)
    record["conditions"] = conditions.end(around)
    if not record["problem"]:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
        os.replace(path + ".new", path)
    return record


def run_cells(plan, settings, folder, again):
    """Records in the order of the plan. Progress goes to stderr."""
    os.makedirs(folder, exist_ok=True)
    start, done = time.monotonic(), 0
    records = [None] * len(plan)
    todo = []
    for index, cell in enumerate(plan):
        programs, files = cells.files_of(cell, settings)
        path = f"{folder}/{key_of(cell, settings, programs, files)}.json"
        if os.path.exists(path) and not again:
            with open(path, encoding="utf-8") as file:
                records[index] = json.load(file)
        else:
            todo.append((index, cell, path))
    say(f"{len(plan)} cells, {len(plan) - len(todo)} of them done before")
    with concurrent.futures.ThreadPoolExecutor(settings["jobs"]) as pool:
        pending = {pool.submit(run_cell, cell, settings, path): (index, cell) for index, cell, path in todo}
        try:
            for future in concurrent.futures.as_completed(pending):
                index, cell = pending[future]
                records[index] = record = future.result()
                done += 1
                elapsed = time.monotonic() - start
                left = elapsed / done * (len(todo) - done)
                outcome = record["problem"] or f"{record['elapsed'] / 1e9:.2f} G instructions"
                say(f"{done} of {len(todo)}: {name_of(cell)}: {outcome}; {elapsed:.0f} s, about {left:.0f} s left")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end_all()
            raise
    return records


def build_module(folder):
    """Path of the kernel module for the machine's kernel, or None."""
    with open(f"{folder}/version", encoding="utf-8") as file:
        version = file.read().strip()
    done = subprocess.run([f"{ROOT}/scripts/build-module.sh", version], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def missing_file(settings, plan):
    for path in (f"{settings['tools']}/count-run", f"{settings['tools']}/split.so", f"{settings['machine']}/vmlinuz"):
        if not os.path.exists(path):
            return f"{path} is missing; 'make count' builds it"
    for cell in plan:
        programs, files = cells.files_of(cell, settings)
        for path in programs + list(files.values()):
            if not os.path.exists(path):
                what = "rootfs" if path.endswith((".ext4", ".tar")) else "guest"
                return f"{path} is missing; 'make {what}' builds it"
    return None


def main():
    options = arguments()
    if options.list:
        for group, names in cells.GROUPS.items():
            print(f"{group}: {' '.join(names)}")
        return 0
    settings = {"crosswalk": options.crosswalk, "images": options.images, "tools": options.tools,
                "machine": f"{options.images}/nested", "kernel": options.kernel, "memory": options.memory,
                "milliseconds": options.milliseconds, "split": options.split, "jobs": options.jobs,
                "timeout": options.timeout}
    try:
        plan = []
        for one in options.sets or [f"{options.modes}={options.workloads}"]:
            modes, equals, names = one.rpartition("=")  # options of modes may have one
            if not equals:
                raise ValueError(f"'{one}' is no set of cells; give MODES=WORKLOADS, such as soft,shadow=system,boot")
            plan += cells.plan(modes.split(","), cells.expand(names.split(",")))
    except ValueError as error:
        print(f"count: {error}", file=sys.stderr)
        return 2
    if any(cells.needs_module(cell["engine"]) for cell in plan):
        settings["module"] = build_module(settings["machine"])
        if not settings["module"]:
            return 2
    missing = missing_file(settings, plan)
    if missing:
        print(f"count: {missing}", file=sys.stderr)
        return 2
    folder = f"{options.output}/cells"
    around = conditions.start(["scripts/count/run.py", *sys.argv[1:]], options.crosswalk)
    records = run_cells(plan, settings, folder, options.again)
    second = run_cells(plan, settings, f"{options.output}/again", options.again) if options.twice else None
    about = {"conditions": conditions.end(around), "kernel": options.kernel, "memory": options.memory,
             "machine": next((r["machine_kernel"] for r in records if r.get("machine_kernel")), "unknown"),
             "guest": machine_version(options)}
    text = report.tables(records, about, second) + report.function_tables(records, options.functions)
    with open(f"{options.output}/report.md", "w", encoding="utf-8") as file:
        file.write(text)
    with open(f"{options.output}/results.json", "w", encoding="utf-8") as file:
        json.dump({**about, "cells": records}, file, indent=1)
    with open(f"{options.output}/results.csv", "w", encoding="utf-8") as file:
        file.write(tidy.as_csv(tidy.RESULTS, tidy.count_rows(records, around)))
    print(text)
    failed = [record for record in records + (second or []) if record["problem"]]
    for record in failed:
        print(f"count: {name_of(record)} failed: {record['problem']}", file=sys.stderr)
    if options.write_expected and not failed:
        report.write_expected(options.write_expected, records, about)
    worse = report.compare_expected(options.expected, records, about) if options.expected else 0
    return 1 if failed or worse else 0


def machine_version(options):
    try:
        with open(f"{options.images}/{options.kernel}/version", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(processes.run_to_end(main))
