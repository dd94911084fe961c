#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of scripts/experiments: plans, the store of cells, counters, fits and the model."""
import os
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/experiments"))
import cells  # noqa: E402
import counters  # noqa: E402
import model  # noqa: E402
import workloads  # noqa: E402


def record(engine, workload, value, statistics=None, total=None, rows=None):
    return {"engine": engine, "workload": workload, "repeat": 0, "id": f"{engine} {workload}", "status": "ok", "started": 1.0, "seconds": 1.0,
            "rows": rows if rows is not None else {workload: value}, "totals": {workload: total} if total else {}, "statistics": statistics}


class Plan(unittest.TestCase):
    MATRIX = {"modes": ["qemu", "native", "soft", "shadow"], "flush": ["lazy", "eager"], "workloads": ["getppid", "bare_flush"], "repeats": 2}

    def ids(self, **changes):
        return {cell["id"] for cell in cells.plan({**self.MATRIX, **changes}, changes.pop("flush_known", True))[0]}

    def test_engines_follow_each_other_on_each_workload(self):
        plan, _ = cells.plan({**self.MATRIX, "instructions": False}, True)
        first = [cell["engine"] for cell in plan if cell["workload"] == "getppid" and cell["repeat"] == 0]
        self.assertEqual(first, ["qemu", "native", "soft", "shadow/lazy", "shadow/eager"])
        last_of_first = max(i for i, cell in enumerate(plan) if cell["repeat"] == 0)
        self.assertLess(last_of_first, min(i for i, cell in enumerate(plan) if cell["repeat"] == 1))

    def test_a_wider_matrix_keeps_what_is_there(self):
        self.assertLess(self.ids(), self.ids(repeats=3))
        self.assertLess(self.ids(), self.ids(workloads=["getppid", "bare_flush", "fork_wait"]))

    def test_other_settings_are_other_cells(self):
        both = self.ids() & self.ids(milliseconds=7)
        plan, _ = cells.plan(self.MATRIX, True)
        # Boots, preparations and bare-metal programs do not depend on it; a longer timeout changes
        # nothing.
        self.assertFalse(both & {cell["id"] for cell in plan if cell["workload"] == "getppid"})
        self.assertTrue(both)
        self.assertEqual(self.ids(), self.ids(timeout=1000))

    def test_without_the_option_there_is_no_axis(self):
        self.assertEqual(workloads.engines_of(["soft", "shadow", "mmap:lazy"], ["lazy", "eager"], False), ["soft", "shadow", "mmap"])
        self.assertEqual(workloads.engines_of(["soft", "shadow", "mmap:lazy"], ["lazy", "eager"], True),
                         ["soft", "shadow/lazy", "shadow/eager", "mmap/lazy"])
        with self.assertRaises(ValueError):
            workloads.engines_of(["shadow:never"], [], True)
        with self.assertRaisesRegex(ValueError, "unknown mode 'sof'.*soft-call, soft, mmap"):
            workloads.engines_of(["sof"], [], True)
        with self.assertRaisesRegex(ValueError, "unknown workload 'getpid'.*system: getppid page_touch"):
            workloads.expand(["getpid"])

    def test_native_code_has_neither_boot_nor_bare_metal(self):
        plan, _ = cells.plan(self.MATRIX, True)
        self.assertEqual({cell["workload"] for cell in plan if cell["engine"] == "native"}, {"getppid"})


class StoreTest(unittest.TestCase):
    def test_a_cut_line_is_dropped_and_the_last_record_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            store = cells.Store(folder)
            store.append({"id": "a", "status": "failed"})
            with open(store.path, "a") as file:
                file.write('{"id": "b", "sta')
            store.append({"id": "a", "status": "ok"})
            self.assertEqual(store.load(), {"a": {"id": "a", "status": "ok"}})

    def test_collect_takes_each_result_once(self):
        with tempfile.TemporaryDirectory() as folder:
            store = cells.Store(folder)
            store.write_single({"id": "a", "status": "ok", "started": 5.0})
            self.assertEqual((store.collect(), store.collect()), (1, 0))


class Output(unittest.TestCase):
    def test_rows_totals_and_the_end(self):
        lines = [(1.5, workloads.FIRST_OUTPUT), (2, "bench: begin"), (3, "getppid\t12.5"), (3, "total getppid 77"), (4, "bench: end 0")]
        self.assertEqual(workloads.parse_output(lines), ({"getppid": 12.5}, {"getppid": 77}, 1.5, None, True))
        self.assertEqual(workloads.parse_output([(1, "bench: getppid: wrong result"), (2, "bench: end 1"), (3, "x\t-4"), (3, "y\tz")]),
                         ({}, {}, None, "getppid: wrong result", False))

    def test_processes_are_killed_at_the_timeout(self):
        # A loaded machine takes its time to start a shell.
        limit = 0.5 * max(1, os.getloadavg()[0] / os.cpu_count())
        status, late, lines, _ = cells.run_process(["/bin/sh", "-c", "echo one; exec sleep 600"], limit)
        self.assertTrue(late and status != 0)
        self.assertEqual([text for _, text in lines], ["one"])


class Devices(unittest.TestCase):
    def test_an_engine_whose_device_is_missing_is_skipped(self):
        with unittest.mock.patch("os.access", lambda path, _: path != "/dev/crosswalk"):
            cell = {"engine": "kmod/lazy", "workload": "getppid", "repeat": 0}
            record = cells.run_cell(cell, {}, "/nonexistent/crosswalk", "/nonexistent", "binary")
            self.assertEqual((record["status"], record["reason"]), ("skipped", "cannot open /dev/crosswalk"))
            self.assertIsNone(cells.missing_device("shadow/lazy"))
            self.assertIsNone(cells.missing_device("soft"))


class Counters(unittest.TestCase):
    def test_missing_counters_are_none(self):
        self.assertIsNone(counters.read({}, "walks"))
        self.assertIsNone(counters.read(None, "walks"))
        self.assertIsNone(counters.read({"mmu": {"walks": "many"}}, "walks"))
        self.assertEqual(counters.read({"mmu": {"flushes: all": 2, "flushes: by address": 3}}, "flushes"), 5)
        self.assertEqual(counters.read({"exits": {"io": 4, "mmio": 1, "units": {"io": "x"}}}, "vm_exits"), 5)

    def test_boot_and_preparation_are_taken_off(self):
        results = counters.Results([record("soft", "getppid", 10, {"mmu": {"walks": 1100}}, 200),
                                    record("soft", "getppid@setup", 0, {"mmu": {"walks": 100}}, None, {}) | {"totals": {"getppid": 100}},
                                    record("icount", "getppid", 500)])
        self.assertEqual(results.counter("soft", "getppid", "walks"), 10)
        self.assertEqual(results.per_million_instructions("soft", "getppid", "walks"), 20000)
        self.assertIsNone(results.counter("soft", "getppid", "vm_exits"))
        self.assertEqual(results.engines, ["soft"])


class Model(unittest.TestCase):
    def rows(self, base, per_entry, per_use):
        return {f"flush_{n}_use_{k}": base + per_entry * n + per_use * k for n in (16, 64, 256, 1024) for k in (1, n // 4, n)}

    def test_the_fit_finds_the_costs(self):
        results = counters.Results([record("shadow/lazy", "bare_flush", 0, {}, None, self.rows(5000, 100, 2000))])
        found = model.flush_fit(results, "shadow/lazy")
        for name, expected in (("base", 5000), ("per_entry", 100), ("per_use", 2000)):
            self.assertAlmostEqual(found[name], expected, delta=expected * 1e-6)

    def test_no_cost_is_negative(self):
        found = model.fit([((1.0, n), 1000.0 - n) for n in (1, 10, 100, 500)])
        self.assertTrue(all(value >= 0 for value in found))
        self.assertIsNone(model.fit([]))

    def test_crossing(self):
        lazy, eager = {"base": 0, "per_entry": 100, "per_use": 2000}, {"base": 0, "per_entry": 600, "per_use": 0}
        self.assertAlmostEqual(model.crossing(lazy, eager), 0.25)
        self.assertIsNone(model.crossing(lazy, {"base": 0, "per_entry": 9999, "per_use": 0}))

    def test_it_reproduces_what_it_is_made_of(self):
        statistics = {"engine": {"window faults": 1000}, "mmu": {}}
        nothing = {"engine": {"window faults": 0, "soft TLB refills": 0}, "mmu": {}}
        records = []
        for engine in ("mmap", "shadow"):
            records += [record(engine, "bare_flush", 0, {}, None, self.rows(5000, 100, 2000)), record(engine, "boot", 0, nothing, None, {})]
        # 10 faults an operation at 2000 ns on top of 500 ns of work; the same work without a fault
        # in the other mode.
        records += [record("shadow", "page_touch", 20500, statistics, 100), record("mmap", "page_touch", 500, nothing, 100)]
        records += [record(engine, "page_touch@setup", 0, nothing, None, {}) for engine in ("mmap", "shadow")]
        costs = {name: default for name, (default, _, _) in model.OPTIONS.items()} | {"fault-path": "upcall"}
        made = model.Model(counters.Results(records), costs)
        predicted, measured = made.check("shadow", "page_touch")
        self.assertAlmostEqual(predicted, measured, delta=1)
        expected = 500 * (1 + costs["tlb-share"] / 20 * (costs["npt-walk-factor"] - 1)) + 10 * costs["fault-ns"]
        self.assertAlmostEqual(made.predict("shadow", "page_touch"), expected, delta=1)


if __name__ == "__main__":
    unittest.main()
