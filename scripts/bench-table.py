#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the tables of a result of `crosswalk bench --json` as Markdown, for docs/measurements.md.

A cell is the median time with its interquartile range in per cent of it, and for other engines than
the baseline, how many times faster than the baseline: the median over slices that took turns. A
row's times that vary by more than 10 % are marked *.
"""

import argparse
import json
import math
import sys

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns"))


def duration(ns):
    scale, unit = next((u for u in UNITS if ns >= u[0]), UNITS[-1])
    return f"{ns / scale:.3g} {unit}"


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def cell(sample, is_baseline):
    if sample is None:
        return "–"
    mark = "*" if sample["noisy"] else ""
    text = f"{duration(sample['median_ns'])} ±{100 * sample['spread']:.0f}%{mark}"
    return text if is_baseline else f"{text}, {sample['speed']:.2f}x"


def table(result, group):
    engines = result["engines"]
    names = list(engines)
    rows = []
    for engine in engines.values():
        rows += [w for w, s in engine["workloads"].items() if s["group"] == group and w not in rows]
    if not rows:
        return
    print("| " + " | ".join([group, *names]) + " |")
    print("|" + "---|" * (len(names) + 1))
    speeds = {name: [] for name in names}
    for row in rows:
        samples = {name: engines[name]["workloads"].get(row) for name in names}
        for name, sample in samples.items():
            if sample:
                speeds[name].append(sample["speed"])
        cells = [cell(samples[name], name == result["baseline"]) for name in names]
        print("| " + " | ".join([row, *cells]) + " |")
    means = [f"**{mean(speeds[name]):.2f}x**" for name in names]
    print("| " + " | ".join(["**geometric mean**", *means]) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", help="a file that `crosswalk bench --json` wrote")
    path = parser.parse_args().result
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        for group in ("compute", "system", "program", "boot"):
            table(result, group)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"bench-table: {path}: {error!r}: not a result of crosswalk bench --json")


if __name__ == "__main__":
    main()
