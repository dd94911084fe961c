# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of finished cells, and what the report reads from the JSON statistics of Crosswalk, by the names that builds have
given it. A counter that a build does not have is None, which the report leaves out, or shows as n/a."""
import os
import statistics
import sys

import workloads

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import conditions  # noqa: E402

# name: alternatives, each a list of "group/counter" to be added up; the first of which any counter
# exists counts.
COUNTERS = {
    "instructions": [["engine/guest instructions"], ["engine/guest instructions executed"]],
    "walks": [["mmu/walks"]],
    "levels": [["mmu/levels read"]],
    "lookups": [["mmu/soft TLB lookups"], ["engine/soft TLB lookups"]],
    "soft_misses": [["mmu/soft TLB misses"]],
    "soft_refills": [["engine/soft TLB refills"], ["mmu/soft TLB misses"]],
    "faults": [["engine/window faults"], ["mmu/faults"]],
    "faults_installed": [["mmu/faults: installed"], ["mmu/window faults, installed"]],
    "installed": [["mmu/entries installed, 4K", "mmu/entries installed, 64K", "mmu/entries installed, 1M",
                   "mmu/entries installed, 2M"], ["mmu/entries installed"]],
    "prefilled": [["mmu/pages prefilled"], ["mmu/prefilled"], ["mmu/entries prefilled"]],
    "removed": [["mmu/entries removed"], ["mmu/entries_removed"]],
    "kept": [["mmu/entries kept"], ["mmu/entries revalidated"], ["mmu/entries_revalidated"]],
    "rewritten": [["mmu/entries rewritten"], ["mmu/entries_rewritten"]],
    "flushes": [["mmu/flushes: all", "mmu/flushes: by ASID", "mmu/flushes: by address",
                 "mmu/flushes: by address, all ASIDs"], ["mmu/flushes"]],
    "flushes_bulk": [["mmu/flushes: all", "mmu/flushes: by ASID"]],
    "flushes_page": [["mmu/flushes: by address", "mmu/flushes: by address, all ASIDs"]],
    "flushes_lazy": [["mmu/refreshes lazy"]],
    "flushes_eager": [["mmu/refreshes eager"]],
    "switches": [["mmu/space switches"]],
    "evictions": [["mmu/spaces evicted"]],
    "promotions": [["mmu/hybrid: spaces promoted"], ["mmu/spaces promoted"]],
    "demotions": [["mmu/hybrid: spaces demoted"], ["mmu/spaces demoted"]],
    "upkeep_predicted": [["mmu/hybrid: faults and flushes predicted"]],
    "upkeep_seen": [["mmu/hybrid: faults and flushes seen"]],
    "window_seconds": [["mmu/hybrid: time in windows"]],
    "soft_seconds": [["mmu/hybrid: time on software TLBs"]],
    # Costs that Crosswalk measured by itself at its start, ns.
    "cost_fault": [["mmu/cost of a window fault, measured"]],
    "cost_install": [["mmu/cost of an entry installed, measured"]],
    "cost_flush": [["mmu/cost of an entry flushed, measured"]],
    "vm_exits": [["world/exits"], ["kvm/exits"], ["exits/total"], ["exits/exits"]],
    "engine_exits": [["engine/exits to look up", "engine/exits to link", "engine/exits, indirect",
                      "engine/exits by poll", "engine/exits by exception"]],
    "device_accesses": [["engine/device accesses"]],
    "translated": [["engine/guest instructions translated"]],
}
TIME_GROUP = "time"


def number(value):
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def read(document, name):
    """One counter of one run's statistics, or None."""
    if not isinstance(document, dict):
        return None
    for names in COUNTERS[name]:
        values = []
        for path in names:
            group, _, counter = path.partition("/")
            found = document.get(group)
            values.append(number(found.get(counter)) if isinstance(found, dict) else None)
        if any(value is not None for value in values):
            return sum(value for value in values if value is not None)
    if name == "vm_exits" and isinstance(document.get("exits"), dict):
        values = [number(value) for value in document["exits"].values()]
        if any(value is not None for value in values):
            return sum(value for value in values if value is not None)
    return None


def times(document):
    """The rows of the group "time", without its units: seconds or nanoseconds as Crosswalk wrote them."""
    group = document.get(TIME_GROUP) if isinstance(document, dict) else None
    if not isinstance(group, dict):
        return {}
    return {name: value for name, value in group.items() if number(value) is not None}


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


class Results:
    """Finished cells, by engine and row."""

    def __init__(self, records):
        self.records = [record for record in records if record["status"] == "ok"]
        self.problems = [record for record in records if record["status"] != "ok"]
        self.samples, self.by_cell, group_of_row, self.busy = {}, {}, {}, set()
        for record in self.records:
            self.by_cell.setdefault((record["engine"], record["workload"]), []).append(record)
            for row, value in record["rows"].items():
                self.samples.setdefault((record["engine"], row), []).append(value)
                # The load averages have the guests of the cells before in them.
                if conditions.host_is_busy(record.get("conditions", {}), 0):
                    self.busy.add((record["engine"], row))
                group = workloads.group_of(record["workload"])
                group_of_row.setdefault(row, group)
        self.group_of_row = group_of_row
        engines = dict.fromkeys(record["engine"] for record in self.records)
        self.engines = [engine for engine in engines if engine != "icount"]

    def rows(self, group):
        order = workloads.GROUPS.get(group, [])
        rows = [row for row, its_group in self.group_of_row.items() if its_group == group]
        # Numbers in names are numbers: flush_64_use_1 before flush_256_use_1.
        return sorted(rows, key=lambda row: (order.index(row) if row in order else len(order),
                                             [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in row.split("_")]))

    def time(self, engine, row):
        """Median ns per operation, or None."""
        return median(self.samples.get((engine, row), []))

    def spread(self, engine, row):
        """The interquartile range as a share of the median; None for fewer than two samples."""
        return conditions.spread(self.samples.get((engine, row), []))

    def quartiles(self, engine, row):
        """(lower, upper), or None for fewer than two samples."""
        found = conditions.quartiles(self.samples.get((engine, row), []))
        return (found[0], found[2]) if found else None

    def noisy(self, engine, row):
        """Whether conditions.RULE marks it."""
        return (engine, row) in self.busy or conditions.is_noisy(self.samples.get((engine, row), []))

    def least(self, engine, row):
        """The least ns per operation of all repeats, or None."""
        return min(self.samples.get((engine, row), []), default=None)

    def instructions_per_operation(self, row):
        return self.time("icount", row)

    def counter(self, engine, workload, name):
        """A counter per operation of a workload, the share of boot and preparation taken off; or None. Linux and program
        workloads only."""
        without = workloads.setup_of(workload) or workloads.boot_of(workload)
        if workloads.boot_of(workload) is None:
            return None
        others = self.by_cell.get((engine, without), [])
        base = median([read(record["statistics"], name) for record in others])
        base_total = median([record["totals"].get(workload, 0) for record in others]) or 0
        values = []
        for record in self.by_cell.get((engine, workload), []):
            value, total = read(record["statistics"], name), record["totals"].get(workload)
            if value is not None and base is not None and total and total > base_total:
                values.append(max(value - base, 0) / (total - base_total))
        return median(values)

    def whole_run(self, engine, workload, name):
        """A counter of the whole guest, boot included; median of the repeats, or None."""
        return median([read(record["statistics"], name) for record in self.by_cell.get((engine, workload), [])])

    def per_million_instructions(self, engine, workload, name):
        value, instructions = self.counter(engine, workload, name), self.instructions_per_operation(workload)
        return value / instructions * 1e6 if value is not None and instructions else None

    def counted_workloads(self):
        """Linux and program workloads that some engine with statistics ran."""
        return list(dict.fromkeys(record["workload"] for record in self.records
                                  if record["statistics"] and not workloads.is_bare(record["engine"], record["workload"])
                                  and workloads.group_of(record["workload"]) not in ("boot", "setup")))

    def counted_engines(self):
        return [engine for engine in self.engines
                if any(record["statistics"] for record in self.records
                       if record["engine"] == engine and not workloads.is_bare(engine, record["workload"]))]
