#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as tidy CSV files, one row a sample, for pandas, R or a spreadsheet; docs/experiments.md has the columns.

Standalone: tidy.py BENCH.json prints what `crosswalk bench --json` wrote in the same form as results.csv, and
tidy.py --schema the table of columns for docs/experiments.md.
"""
import csv
import io
import json
import sys

import counters
import workloads

# Column: (type, unit, meaning). Text is UTF-8; an empty field is a value that there is not.
CONDITIONS = {
    "version": ("text", "", "of Crosswalk"),
    "commit": ("text", "", "that Crosswalk was built from; `+`: with changes"),
    "date": ("text", "UTC, ISO 8601", "start of the process that measured"),
    "command": ("text", "", "its command line"),
    "host_cpu": ("text", "", "model of the host's CPU"),
    "host_cpus": ("integer", "", "CPUs that the process could use"),
    "host_kernel": ("text", "", "release of the host's Linux"),
    "host_virtual": ("text", "", "`yes`: the host is a virtual machine itself; or `no`"),
    "host_kvm": ("text", "", "KVM's module, and whether it uses nested paging; or `none`"),
    "load_start": ("number", "", "load average of the last minute, before"),
    "load_end": ("number", "", "the same, after"),
}
SAMPLE = {
    "engine": ("text", "", "`MODE` or `MODE/POLICY`, `qemu`, `native`, …"),
    "mode": ("text", "", "the engine without its policy"),
    "flush": ("text", "", "flush policy, or empty: the default"),
    "group": ("text", "", "of the workload: `compute`, `system`, `bare`, …"),
    "workload": ("text", "", "what the guest was started for"),
    "row": ("text", "", "what was measured: the workload, or one of its parts"),
    "repeat": ("integer", "", "from 1"),
    "value": ("number", "see `unit`", "of one operation"),
    "unit": ("text", "", "`ns`, or `instructions` (engine `icount`)"),
    "operations": ("integer", "", "that the value is the mean of, if the guest said so"),
    "noisy": ("text", "", "`yes`: the report marks this engine's row; or `no`"),
    "seconds": ("number", "s", "from the start of the process to its end"),
    "boot_seconds": ("number", "s", "from the start to the first user-space output"),
    "cell": ("text", "", "identity of the cell: the same in `cells.jsonl` and `counters.csv`"),
}
RESULTS = {**SAMPLE, **CONDITIONS}
COUNTERS = {
    "cell": SAMPLE["cell"],
    **{name: SAMPLE[name] for name in ("engine", "mode", "flush", "group", "workload", "repeat")},
    "counter": ("text", "", "name in `scripts/experiments/counters.py`"),
    "value": ("number", "count, s or ns", "of the whole run of that guest, boot included"),
}


def identity(record):
    mode, _, policy = record["engine"].partition("/")
    return {"cell": record["id"], "engine": record["engine"], "mode": mode, "flush": policy, "group": workloads.group_of(record["workload"]),
            "workload": record["workload"], "repeat": record["repeat"] + 1}


def result_rows(results):
    """Rows of results.csv of counters.Results."""
    for record in results.records:
        about = {key: value for key, value in record.get("conditions", {}).items() if key in CONDITIONS}
        for row, value in record["rows"].items():
            yield {**identity(record), **about, "row": row, "value": value, "unit": "instructions" if record["engine"] == "icount" else "ns",
                   "operations": record["totals"].get(row), "noisy": "yes" if results.noisy(record["engine"], row) else "no",
                   "seconds": record["seconds"], "boot_seconds": record.get("boot_seconds")}


def counter_rows(results):
    for record in results.records:
        for name in counters.COUNTERS:
            value = counters.read(record["statistics"], name)
            if value is not None:
                yield {**identity(record), "counter": name, "value": value}


def bench_rows(document):
    """Rows of results.csv of what `crosswalk bench --json` wrote."""
    about = {key: value for key, value in document["conditions"].items() if key in CONDITIONS}
    for engine, found in document["engines"].items():
        mode, _, policy = engine.partition(":")
        for workload, row in found.get("workloads", {}).items():
            for repeat, value in enumerate(row["samples_ns"], 1):
                yield {"engine": engine.replace(":", "/"), "mode": mode, "flush": policy, "group": row["group"], "workload": workload, "row": workload,
                       "repeat": repeat, "value": value, "unit": "ns", "noisy": "yes" if row["noisy"] else "no", **about}


def count_rows(records, about):
    """Rows of results.csv of the cells that scripts/count has counted; under these conditions, if a cell does not say so."""
    for record in records:
        around = record.get("conditions", about)
        head = record["engine"].partition("+")[0].partition("@")[0]
        mode, _, policy = head.partition(":")
        for row, value in record["rows"].items():
            # A guest of several workloads has their names as rows; a bare-metal program has parts.
            name = row if workloads.group_of(row) != "other" else record["workloads"][0]
            group = "boot" if row.startswith("start_to_") else "bare" if record["kind"].startswith("bare_") else workloads.group_of(name)
            yield {"engine": record["engine"], "mode": mode, "flush": policy, "group": group, "workload": name, "row": row,
                   "repeat": 1, "value": value, "unit": "instructions", "noisy": "no", **around}


def as_csv(columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return text.getvalue()


def files(results):
    """{name: text} of the CSV files of a run."""
    return {"results.csv": as_csv(RESULTS, result_rows(results)), "counters.csv": as_csv(COUNTERS, counter_rows(results))}


def schema():
    """The columns as tables of Markdown."""
    parts = []
    for title, columns in (("`results.csv`", RESULTS), ("`counters.csv`", COUNTERS)):
        rows = [f"| `{name}` | {kind} | {unit} | {meaning} |" for name, (kind, unit, meaning) in columns.items()]
        parts.append("\n".join([f"{title}:", "", "| column | type | unit | what |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def main():
    if sys.argv[1:] == ["--schema"]:
        print(schema())
        return 0
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("tidy.py: give a file that `crosswalk bench --json` wrote, or --schema", file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            print(as_csv(RESULTS, bench_rows(json.load(file))), end="")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"tidy.py: {sys.argv[1]}: no results of `crosswalk bench --json`: {error!r}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
