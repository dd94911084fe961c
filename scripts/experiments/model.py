#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A model of what each mode costs, from counts of events and the cost of each; docs/experiments.md has its terms.

  time per operation = work x (1 + TLB share x (walk factor - 1)) x CPU factor + sum over events of count x cost

`work` is what the operation takes without any event. Events are those that Crosswalk counts per operation. Costs of this
machine are measured by the bare-metal programs of the same run (bare_flush, bare_mmu); costs of bare metal with EPT or
NPT are the options below, so that what comes out for it is a prediction, not a measurement.

Standalone: model.py OUTPUT [options] prints the model's tables for the results in that folder.
"""
import argparse
import os
import sys

import counters
import workloads

# Events, in the order of the tables: name, what it counts.
EVENTS = {
    "fault": "window faults",
    "refill": "software TLB refills",
    "removed": "entries removed by flushes, at most as many as were installed",
    "rewalked": "entries walked again by flushes (kept or rewritten), or filled ahead of use",
    "flush": "flushes of everything or of an ASID that found entries",
    "flush_page": "flushes of a page that found an entry",
    "switch": "switches of address space",
    "device": "device accesses",
}

# Costs in ns on bare metal with EPT/NPT, and where each comes from. `kind` is how a mode reaches
# its entries. name: (default, which costs it sets, source)
OPTIONS = {
    "exit-ns": (1500, "a VM exit to the process and back: device accesses in shadow and ept, faults in shadow without the upcall",
                "design: 1-2 us on bare metal"),
    "fault-ns": (600, "a window fault in shadow that the upcall handles inside the VM: exception, walk, entry, return",
                 "estimate: 200 ns exception and IRET, 100-200 ns to save and find the access, 200 ns walk and entry"),
    "host-fault-ns": (3500, "a window fault in mmap: SIGSEGV, walk, mmap(2), the host's own fault, sigreturn",
                      "estimate: 1 us signal, 1 us mmap, 1 us page fault, on an unloaded 3-4 GHz core"),
    "ept-fault-ns": (5500, "a window fault in ept: an exit on the EPT violation, mmap(2), KVM's own fault on the entry",
                     "estimate: exit-ns, mmap and fault as in mmap, 500 ns more in KVM"),
    "refill-ns": (60, "a refill of the software TLB", "a walk that reads two descriptors from the cache"),
    "remove-ns": (150, "an entry removed: clearing it, INVLPG", "INVLPG is 100-200 cycles; the entry is one store"),
    "host-remove-ns": (900, "an entry removed in mmap and ept: its share of mmap(2) and the host's flush",
                       "estimate: munmap(2) of one page, notifier included"),
    "rewalk-ns": (60, "an entry walked again by a flush, or filled ahead of use, in shadow", "a walk, and a store if it changed"),
    "host-rewalk-ns": (500, "the same in mmap and ept, on average", "estimate: most are found unchanged, the others cost an mmap(2)"),
    "flush-ns": (400, "a flush of everything or of an ASID, beyond its entries", "bookkeeping, and a stub at CPL 0 that reloads CR3"),
    "flush-page-ns": (250, "a flush of a page, beyond its entry", "bookkeeping, and a stub at CPL 0 with INVLPG"),
    "switch-ns": (40, "a switch of address space", "a lookup of the key; nothing is flushed"),
    "device-ns": (100, "an access to an emulated device inside the engine", "a call; needs no exit"),
    "npt-walk-factor": (1.7, "how much longer a hardware page walk takes through two levels of tables",
                        "4 against up to 24 references, most of them cached; published measurements say 1.3-2.5"),
    "tlb-share": (0.4, "the share of time in hardware page walks, for chases of 4 MiB and more and strides of a page",
                  "estimate; other workloads count with a twentieth of it"),
    "cpu-factor": (1.0, "time of the work there divided by time here", "1: the same CPU"),
}


def add_arguments(parser):
    group = parser.add_argument_group("model", "costs on bare metal with EPT or NPT, in ns (the report names their sources)")
    for name, (default, meaning, _) in OPTIONS.items():
        group.add_argument(f"--{name}", type=float, default=default, metavar="X", help=f"{meaning} (default: {default:g})")
    group.add_argument("--fault-path", choices=("upcall", "exit"), default="upcall", help="how shadow learns of a fault on bare metal (default: upcall)")


def costs_from(arguments):
    costs = {name: getattr(arguments, name.replace("-", "_")) for name in OPTIONS}
    costs["fault-path"] = arguments.fault_path
    return costs


def mode_of(engine):
    return engine.partition("/")[0]


def has_model(engine):
    return mode_of(engine) in workloads.CROSSWALK_MODES + ("auto",) and mode_of(engine) != "flat"


def bare_metal_costs(engine, costs):
    """Event costs of a mode on bare metal."""
    host = mode_of(engine) in ("mmap", "ept")
    if mode_of(engine) == "mmap":
        fault = costs["host-fault-ns"]
    elif mode_of(engine) == "ept":
        fault = costs["ept-fault-ns"]
    else:
        fault = costs["fault-ns"] + (costs["exit-ns"] if costs["fault-path"] == "exit" else 0)
    return {"fault": fault, "refill": costs["refill-ns"], "removed": costs["host-remove-ns" if host else "remove-ns"],
            "rewalked": costs["host-rewalk-ns" if host else "rewalk-ns"], "flush": costs["flush-ns"],
            "flush_page": costs["flush-page-ns"], "switch": costs["switch-ns"], "device": costs["device-ns"]}


def tlb_share(workload, costs):
    heavy = ("chase_4m", "chase_16m", "chase_64m", "pointer_chase_64m", "stride_page_16m")
    return costs["tlb-share"] if workload in heavy else costs["tlb-share"] / 20


# --- linear fits ----------------------------------------------------------------------------------
def solve(matrix, vector):
    """Gaussian elimination; None when it is singular."""
    size = len(vector)
    rows = [list(row) + [value] for row, value in zip(matrix, vector)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        if abs(rows[pivot][column]) < 1e-12:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(size):
            if row != column:
                factor = rows[row][column] / rows[column][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def fit(points):
    """Non-negative least squares of relative errors: points are (features, value). Returns coefficients or None."""
    width = len(points[0][0]) if points else 0
    active = list(range(width))
    while active:
        weighted = [([features[i] / value for i in active], 1.0) for features, value in points if value > 0]
        if len(weighted) < len(active):
            return None
        normal = [[sum(f[i] * f[j] for f, _ in weighted) for j in range(len(active))] for i in range(len(active))]
        right = [sum(f[i] for f, _ in weighted) for i in range(len(active))]
        solution = solve(normal, right)
        if solution is None:
            return None
        worst = min(range(len(active)), key=lambda i: solution[i])
        if solution[worst] >= 0:
            coefficients = [0.0] * width
            for i, value in zip(active, solution):
                coefficients[i] = value
            return coefficients
        del active[worst]  # a cost cannot be negative
    return None


def flush_points(results, engine):
    """(entries covered, entries used again, ns) of the bare_flush rows."""
    points = []
    for row in results.rows("bare"):
        parts = row.split("_")
        if len(parts) == 4 and parts[0] == "flush" and parts[2] == "use" and parts[1].isdigit() and parts[3].isdigit():
            time = results.time(engine, row)
            if time is not None:
                points.append((int(parts[1]), int(parts[3]), time))
    return sorted(points)


def flush_fit(results, engine):
    """ns of a flush = base + per_entry x entries covered + per_use x entries used again; or None."""
    found = fit([((1.0, covered, used), time) for covered, used, time in flush_points(results, engine)])
    return dict(zip(("base", "per_entry", "per_use"), found)) if found else None


def crossing(lazy, eager):
    """The share of flushed entries that have to be used again before eager wins, for many entries: where
    lazy.per_entry + share x lazy.per_use = eager.per_entry + share x eager.per_use. None when no share makes them equal."""
    slope = lazy["per_use"] - eager["per_use"]
    difference = eager["per_entry"] - lazy["per_entry"]
    if slope == 0:
        return None
    share = difference / slope
    return share if 0 <= share <= 1 else None


# --- this machine's costs, and what the model says ------------------------------------------------
def measured_costs(results, engine):
    """Event costs of a mode on this machine, from its bare-metal rows; None without them."""
    mode = mode_of(engine)
    own = flush_fit(results, engine)
    lazy, eager = flush_fit(results, f"{mode}/lazy") or own, flush_fit(results, f"{mode}/eager") or own
    if not own:
        return None
    # A program's row of one flushed page has an entry and a use in it.
    page = (results.time(engine, "mmu_flush_page_touch") or 0.0) - own["per_use"] - own["per_entry"]
    software = mode in ("soft", "soft-call")
    # Where flushes are eager, a use after one is no fault (an abort that the guest handles is one
    # at least) and no refill (walking for an entry again is one at least).
    fault = max(lazy["per_use"], results.time(engine, "mmu_data_abort") or 0.0)
    return {"fault": 0.0 if software else fault, "refill": max(lazy["per_use"], own["per_entry"]) if software else 0.0,
            "removed": lazy["per_entry"], "rewalked": eager["per_entry"], "flush": own["base"], "flush_page": max(page, 0.0),
            "switch": results.time(engine, "mmu_domain_change") or 0.0,
            "device": results.time("flat", "flat_device_read") or results.time(engine, "flat_device_read") or 0.0}


def event_counts(results, engine, workload):
    """Events per operation; None when the statistics do not have the essential ones."""
    def count(name):
        return results.counter(engine, workload, name)
    if count("faults") is None and count("soft_refills") is None:
        return None
    software = mode_of(engine) in ("soft", "soft-call")
    rewalked = sum(count(name) or 0.0 for name in ("kept", "rewritten", "prefilled"))
    # The statistics count pages; a large entry goes as one, and none goes that was not installed.
    removed = min(count("removed") or 0.0, (count("installed") or 0.0) + rewalked)
    touched = removed + rewalked
    return {"fault": count("faults") or 0.0,
            "refill": (count("soft_refills") or 0.0) if software or mode_of(engine) == "hybrid" else 0.0,
            "removed": removed, "rewalked": rewalked, "flush": min(count("flushes_bulk") or 0.0, touched),
            "flush_page": min(count("flushes_page") or 0.0, touched), "switch": count("switches") or 0.0,
            "device": count("device_accesses") or 0.0}


def event_time(counts, costs):
    return sum(counts[event] * costs[event] for event in EVENTS)


class Model:
    def __init__(self, results, costs):
        self.results, self.costs = results, costs
        self.engines = [engine for engine in results.counted_engines() if has_model(engine)]
        self.here = {engine: found for engine in self.engines if (found := measured_costs(results, engine))}
        self.workloads = results.counted_workloads()
        self.counts = {(engine, workload): event_counts(results, engine, workload)
                       for engine in self.engines for workload in self.workloads}

    def work(self, workload, without=None):
        """ns of the operation without events: the least that any mode but `without` leaves of its time when its events
        are taken off. Modes that spend more than half of their time on events count only when there are no others, and
        then the one that spends the smallest share does, with at least a fifth of its time as work."""
        candidates, rest = [], []
        for engine in self.engines:
            if engine == without or (without and mode_of(engine) == mode_of(without)):
                continue
            time, counts, costs = self.results.time(engine, workload), self.counts[engine, workload], self.here.get(engine)
            if time is None or counts is None or costs is None:
                continue
            spent = event_time(counts, costs)
            if spent <= time / 2:
                candidates.append(time - spent)
            else:
                rest.append((spent / time, max(time - spent, time / 5)))
        if candidates:
            return min(candidates)
        return min(rest)[1] if rest else None

    def check(self, engine, workload):
        """(predicted, measured) ns on this machine; the work is taken from other modes only. Or None."""
        work, measured = self.work(workload, without=engine), self.results.time(engine, workload)
        counts, costs = self.counts[engine, workload], self.here.get(engine)
        if work is None or measured is None or counts is None or costs is None:
            return None
        return work + event_time(counts, costs), measured

    def errors(self, engine):
        found = [self.check(engine, workload) for workload in self.workloads]
        return [predicted / measured - 1 for predicted, measured in filter(None, found)]

    def predict(self, engine, workload):
        """ns on bare metal with EPT, by the costs given; or None."""
        work, counts = self.work(workload), self.counts[engine, workload]
        if work is None or counts is None:
            return None
        if mode_of(engine) in ("shadow", "ept", "kmod", "hybrid", "auto"):
            work *= 1 + tlb_share(workload, self.costs) * (self.costs["npt-walk-factor"] - 1)
        return work * self.costs["cpu-factor"] + event_time(counts, bare_metal_costs(engine, self.costs))

    def split(self, engine, workload):
        """This machine's time per operation by term: {"work": ns, event: ns…}; or None."""
        time, counts, costs = self.results.time(engine, workload), self.counts[engine, workload], self.here.get(engine)
        if time is None or counts is None or costs is None:
            return None
        terms = {event: counts[event] * costs[event] for event in EVENTS}
        total = sum(terms.values())
        # The terms come from other programs: when they say more than there is, they share it.
        if total > time:
            terms = {event: value * time / total for event, value in terms.items()}
        return {"work": max(time - total, 0.0), **terms}


def main():
    import cells
    import report
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUTPUT", help="the output folder of a run")
    add_arguments(parser)
    arguments = parser.parse_args()
    if not os.path.exists(os.path.join(arguments.output, "cells.jsonl")):
        print(f"model.py: {arguments.output} holds no cells.jsonl; give the output folder of a run", file=sys.stderr)
        return 2
    records = list(cells.Store(arguments.output).load().values())
    print(report.model_section(Model(counters.Results(records), costs_from(arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
