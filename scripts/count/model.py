#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns counts into predicted times on bare metal, and says how far the answer depends on what a processor takes for
each event.

  time = (instructions * cycles per instruction + sum over events of times * cycles) / frequency

Instructions and events of each operation are counted (results.json of scripts/count/run.py). Cycles are the parameters
below, each from optimistic to pessimistic, with its source. What comes out is a prediction and not a measurement.

usage: model.py RESULTS.json [--bench BENCH.json] [--set NAME=OPTIMISTIC,TYPICAL,PESSIMISTIC]...
--bench: a file of `crosswalk bench --json` on this host, to compare cycles per instruction with.
"""
import argparse
import json
import math
import statistics
import sys

import cells
import report

SCENARIOS = ("optimistic", "typical", "pessimistic")
# name: (cycles by scenario, what, source)
PARAMETERS = {
    "instruction": ((0.2, 0.3, 0.6), "an instruction",
                    "compute workloads on the development machine: see the calibration"),
    "vmrun": ((1000, 1500, 2500), "an entry into the VM and the exit after it",
              "VMRUN to the instruction after it, EPYC: 1,344 to 1,376 cycles (LKML, KVM SVM vmload/vmsave, "
              "December 2020); VT-x: Agesen et al., USENIX ATC 2012"),
    "vm-iret": ((250, 450, 900), "a fault delivered inside the VM: #PF through the IDT, and IRET",
                "estimate: delivery and IRET are microcode of some hundred cycles each (Fog, Instruction tables)"),
    "host-iret": ((250, 600, 1500), "an exception or interrupt of the host, and IRET",
                  "the same, with the switch of page tables against Meltdown where a processor needs it"),
    "sysret": ((80, 150, 700), "a system call of the host: SYSCALL and SYSRET",
               "estimate: under a hundred cycles each; the switch of page tables adds some 500"),
    "invlpg": ((120, 200, 500), "INVLPG, and the walk that it causes",
               "estimate: microcode of 100-250 cycles (Fog), and one two-dimensional walk"),
    "cr3": ((150, 400, 2000), "a load of CR3, and the walks that it causes",
            "estimate: 100-300 cycles; then some tens of entries come back"),
    "walk": ((15, 50, 200), "the page walk after a fault, over two levels of tables",
             "up to 24 references (Bhargava et al., ASPLOS 2008), most of them cached"),
}


def events_of(part):
    """{parameter: times} of what was counted."""
    times = {"instruction": part["total"]}
    for name, count in part.get("events", {}).items():
        where, event = name.split()
        if event == "iret":
            # Each fault in the VM is one, and its access walks the tables again.
            key = "vm-iret" if where == "vm" else "host-iret"
            times["walk"] = times.get("walk", 0) + count
        else:
            key = event
        times[key] = times.get(key, 0) + count
    return times


def cycles_of(times, parameters, scenario):
    return sum(count * parameters[name][0][scenario] for name, count in times.items())


def predictions(records, parameters):
    """{engine: {row: [ns by scenario at 1 GHz]}}: cycles per operation."""
    found = {}
    for record in records:
        for row, part in record.get("split", {}).items():
            instructions = record["rows"].get(row)
            if instructions is None or not part["total"]:
                continue
            times = events_of(part)
            scale = instructions / part["total"]
            found.setdefault(record["engine"], {})[row] = [
                cycles_of(times, parameters, scenario) * scale for scenario in range(len(SCENARIOS))]
    return found


# What both the counts and this host have: on a host without nested paging the other modes' events
# are of another kind.
CALIBRATED = ("native", "soft", "mmap")


def calibration(records, found, bench, frequency):
    """Predictions beside what the host took, and its cycles per instruction: lines of text."""
    rows = cells.COMPUTE + cells.SYSTEM
    measured = {engine: {row: min(samples) for row, samples in bench.get(engine, {}).items()
                         if samples and row in rows} for engine in CALIBRATED}
    counted = {record["engine"]: record["rows"] for record in records if record["engine"] in CALIBRATED}
    engines = [engine for engine in CALIBRATED if measured[engine] and engine in found]
    if not engines:
        return []
    lines, ratios, inside = [], {}, {}
    for row in rows:
        line = [row]
        for engine in engines:
            predicted, took = found[engine].get(row), measured[engine].get(row)
            if not predicted or not took:
                line += ["", ""]
                continue
            low, typical, high = (cycles / frequency for cycles in predicted)
            ratio = took / typical
            ratios.setdefault(engine, {})[row] = ratio
            inside.setdefault(engine, {})[row] = low <= took <= high
            line += [f"{report.number(typical)}, {report.number(took)}", f"{ratio:.2f}" + ("" if low <= took <= high else " *")]
        lines.append(line)
    for name, group in (("compute", cells.COMPUTE), ("system", cells.SYSTEM)):
        line = [f"geometric mean, {name}"]
        for engine in engines:
            part = [row for row in group if row in ratios.get(engine, {})]
            mean = report.geometric_mean([ratios[engine][row] for row in part])
            line += [f"{sum(inside[engine][row] for row in part)} of {len(part)} within", f"**{mean:.2f}**" if part else ""]
        lines.append(line)
    header = ["operation"] + [title for engine in engines for title in (f"{engine}: ns typical, measured", "ratio")]
    out = ["", f"Calibration on this host at {frequency:g} GHz: the typical prediction, the shortest time measured (other programs "
           "only add), and how many times as long it took; * outside the optimistic and the pessimistic prediction.", ""]
    out += report.table_of(header, lines)
    if "soft" in ratios:
        lines = []
        for engine in engines:
            for name, group in (("compute", cells.COMPUTE), ("system", cells.SYSTEM)):
                part = [row for row in group if row in ratios[engine] and row in ratios["soft"]]
                if engine == "soft" or not part:
                    continue
                predicted = report.geometric_mean([found["soft"][row][1] / found[engine][row][1] for row in part])
                took = report.geometric_mean([measured["soft"][row] / measured[engine][row] for row in part])
                lines.append([engine, name, f"{predicted:.2f}", f"{took:.2f}"])
        out += ["", "How many times as fast as `soft`, geometric means:", ""]
        out += report.table_of(["", "workloads", "predicted, typical", "measured"], lines)
    out += ["", "Cycles per instruction, time on this host over instructions counted, compute workloads but the pointer chases:",
            "", "| | median | quartiles | workloads |", "|---|---|---|---|"]
    for engine in engines:
        values = [measured[engine][row] * frequency / counted[engine][row] for row in cells.COMPUTE
                  if row in measured[engine] and row in counted.get(engine, {}) and not row.startswith("pointer_chase")]
        if len(values) > 2:
            quarter = statistics.quantiles(values, n=4)
            out.append(f"| {engine} | {statistics.median(values):.2f} | {quarter[0]:.2f} to {quarter[2]:.2f} | {len(values)} |")
    return out


def bench_samples(path):
    """{engine: {workload: [ns]}} of `crosswalk bench --json`."""
    with open(path, encoding="utf-8") as file:
        root = json.load(file)
    return {engine: {name: row["samples_ns"] for name, row in values.get("workloads", {}).items()}
            for engine, values in root["engines"].items()}


def tables(found, frequency):
    engines = list(found)
    rows = []
    for name in cells.COMPUTE + cells.SYSTEM + list(cells.BOOT_ROWS):
        if any(name in found[engine] for engine in engines):
            rows.append(name)
    out = ["", f"Predicted time of an operation in ns at {frequency:g} GHz: optimistic, typical, pessimistic.", ""]
    lines = []
    for row in rows:
        cells_of_row = []
        for engine in engines:
            values = found[engine].get(row)
            cells_of_row.append(", ".join(report.number(value / frequency) for value in values) if values else "")
        lines.append([row] + cells_of_row)
    out += report.table_of(["operation"] + engines, lines)
    if "soft" in found:
        out += ["", "How many times as fast as `soft`, by scenario; geometric means:", ""]
        lines = []
        for engine in engines:
            if engine == "soft":
                continue
            line = [engine]
            for group in (cells.COMPUTE, cells.SYSTEM):
                shared = [row for row in group if row in found[engine] and row in found["soft"]]
                means = [math.exp(sum(math.log(found["soft"][row][s] / found[engine][row][s]) for row in shared) / len(shared))
                         for s in range(len(SCENARIOS))] if shared else []
                line.append(", ".join(f"{mean:.2f}" for mean in means))
            lines.append(line)
        out += report.table_of(["mode", "compute", "system"], lines)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("--bench")
    parser.add_argument("--ghz", type=float, default=3.0, help="frequency of the predicted machine (default: %(default)s)")
    parser.add_argument("--host-ghz", type=float, default=None, help="of this host, for --bench (default: --ghz)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=A,B,C")
    options = parser.parse_args()
    parameters = dict(PARAMETERS)
    for text in options.set:
        name, _, values = text.partition("=")
        try:
            numbers = tuple(float(value) for value in values.split(","))
        except ValueError:
            numbers = ()
        if name not in parameters or len(numbers) != len(SCENARIOS):
            print(f"model: --set {text}: give NAME=OPTIMISTIC,TYPICAL,PESSIMISTIC with a name of {', '.join(parameters)}",
                  file=sys.stderr)
            return 2
        parameters[name] = (numbers, parameters[name][1], "--set")
    try:
        with open(options.results, encoding="utf-8") as file:
            results = json.load(file)
        bench = bench_samples(options.bench) if options.bench else {}
    except (OSError, ValueError, KeyError) as error:
        print(f"model: {error}", file=sys.stderr)
        return 2
    found = predictions(results["cells"], parameters)
    out = [f"Predictions from counts of commit {results['conditions']['commit']}. Cycles, from optimistic to pessimistic:", ""]
    out += report.table_of(["what", "cycles", "source"], [
        [what, ", ".join(f"{value:g}" for value in values), source] for values, what, source in parameters.values()])
    out += tables(found, options.ghz)
    out += calibration(results["cells"], found, bench, options.host_ghz or options.ghz)
    print("\n".join(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
