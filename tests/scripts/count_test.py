#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of scripts/count: plans, what a machine prints, expected figures."""
import contextlib
import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/count")
sys.path.insert(0, SCRIPTS)
import cells  # noqa: E402
import conditions  # noqa: E402
import machine  # noqa: E402
import model  # noqa: E402
import report  # noqa: E402
import tidy  # noqa: E402

ABOUT = {"guest": "6.1-a", "machine": "6.1-b"}


class Plan(unittest.TestCase):
    def test_one_guest_runs_all_linux_workloads_and_programs_are_new_to_theirs(self):
        plan = cells.plan(["soft"], ["getppid", "qsort_ints", "program_bzip2", "program_python3", "bare_mmu"])
        self.assertEqual([cell["workloads"] for cell in plan],
                         [["getppid", "qsort_ints"], ["program_bzip2"], ["program_python3"], ["bare_mmu"]])

    def test_native_code_neither_boots_nor_is_bare_metal(self):
        self.assertEqual(cells.plan(["native"], ["boot", "bare_mmu"]), [])

    def test_native_programs_run_in_a_root_of_their_own(self):
        cell = cells.plan(["native"], ["program_bzip2"])[0]
        self.assertEqual(cells.files_of(cell, {"images": "i", "kernel": "armmp"}),
                         ([], {"guest/programs.tar": "i/programs-native.tar"}))
        self.assertIn("tar -x", cells.preparation_of(cell))
        self.assertEqual(cells.command_of(cell, {"milliseconds": 100})[:2], ["chroot", "/programs"])

    def test_wrong_words_are_refused(self):
        for engine in ("sofd", "soft:never", "soft@moon", "qemu:lazy", "native+fast"):
            with self.assertRaises(ValueError, msg=engine):
                cells.parse_engine(engine)
        with self.assertRaises(ValueError):
            cells.expand(["getpid"])


class Ending(unittest.TestCase):
    SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def default_signals(self):
        # A test in the background is started with some of them ignored.
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def start(self, folder):
        """run.py with a QEMU that never ends and writes its number to FOLDER/number."""
        for path in ("nested/modules", "bench", "tools", "bin"):
            os.makedirs(f"{folder}/{path}")
        for path in ("nested/vmlinuz", "nested/busybox", "nested/modules/order", "tools/split.so", "crosswalk"):
            with open(f"{folder}/{path}", "w", encoding="utf-8"):
                pass
        for path in ("bench/bench-native", "tools/count-run"):
            shutil.copy("/bin/true", f"{folder}/{path}")
        with open(f"{folder}/bin/qemu-system-x86_64", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho $$ >{folder}/new && mv {folder}/new {folder}/number\nexec sleep 600\n")
        os.chmod(f"{folder}/bin/qemu-system-x86_64", 0o755)
        return subprocess.Popen(
            [f"{SCRIPTS}/run.py", "--output", f"{folder}/out", "--images", folder, "--tools", f"{folder}/tools",
             "--crosswalk", f"{folder}/crosswalk", "native=getppid"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}, preexec_fn=self.default_signals)

    def test_a_signal_ends_the_machines(self):
        for number in self.SIGNALS:
            with self.subTest(signal=number.name), tempfile.TemporaryDirectory() as folder:
                process = self.start(folder)
                limit = time.monotonic() + 60
                while not os.path.exists(f"{folder}/number"):
                    if process.poll() is not None or time.monotonic() > limit:
                        process.kill()
                        self.fail(f"no machine was started: {process.communicate()[1]}")
                    time.sleep(0.02)
                with open(f"{folder}/number", encoding="utf-8") as file:
                    qemu = int(file.read())
                process.send_signal(number)
                try:
                    errors = process.communicate(timeout=30)[1]
                finally:
                    process.kill()
                self.assertEqual(process.returncode, 130, errors)
                with self.assertRaises(ProcessLookupError):
                    os.kill(qemu, 0)


class Output(unittest.TestCase):
    LINES = ["count: kernel 6.1", "100 crosswalk: first user-space output",
             "count: map 1000-2000 r-xp 00000000 00:00 0 /bin/nothing", "count: map 3000-4000 r-xs 00000000 00:00 0",
             "200 bench: ready getppid", "count: mark getppid", "300 getppid\t12.5", "400 bench: end 0",
             "count: status 0 elapsed 500", "count: statistics", '{"kvm": {"exits": 3}}', "count: end of statistics",
             "count: done"]
    SPLIT = ("part\ntotal vm 100\ntotal user 10\ntotal kernel 5\nevent vm iret 2\nevent user iret 0\nblock vm 3000 60\nblock vm 1000 30\n"
             "part\ntotal vm 1000\ntotal user 100\ntotal kernel 50\n")

    def test_rows_counters_and_places(self):
        record = machine.parse(self.LINES, self.SPLIT, "/bin/true")
        self.assertIsNone(record["problem"])
        self.assertEqual(record["rows"], {"start_to_user_space": 100, "getppid": 12.5, "start_to_power_off": 500})
        self.assertEqual(record["counters"]["kvm"]["exits"], 3)
        part = record["split"]["getppid"]
        self.assertEqual((part["total"], part["translated"], part["kernel"], part["engine"]), (115, 60, 5, 50))
        self.assertEqual(part["events"], {"vm iret": 2})
        self.assertEqual(record["split"]["run"]["total"], 1150)

    def test_a_row_is_the_median_of_its_slices_but_the_first(self):
        lines = [f"300 getppid\t{value}" for value in (900, 10, 30, 20)] + self.LINES[7:]
        self.assertEqual(machine.parse(lines, "", "/bin/true")["rows"]["getppid"], 20)

    def test_a_failure_is_a_problem(self):
        lines = [line.replace("status 0", "status 3") for line in self.LINES]
        self.assertIn("status 3", machine.parse(lines, "", "/bin/true")["problem"])


class Expected(unittest.TestCase):
    def compare(self, value, about=None, rows=("getppid",)):
        records = [{"engine": "soft", "rows": {"getppid": 100.0, "page_touch": 7.0}}]
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/expected"
            report.write_expected(path, records, ABOUT)
            now = [{"engine": "soft", "rows": {row: value for row in rows} | {"page_touch": 7.0}}]
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                worse = report.compare_expected(path, now, about or ABOUT)
        return worse, out.getvalue()

    def test_two_per_cent_more_fails_and_names_the_row(self):
        self.assertEqual(self.compare(101.9)[0], 0)
        worse, text = self.compare(102.1)
        self.assertEqual(worse, 1)
        self.assertIn("not ok counts/soft/getppid", text)

    def test_fewer_is_well_and_said(self):
        worse, text = self.compare(90)
        self.assertEqual(worse, 0)
        self.assertIn("10.0 % fewer", text)

    def test_a_row_that_is_missing_fails(self):
        self.assertEqual(self.compare(100, rows=())[0], 1)

    def test_other_kernels_are_not_compared(self):
        worse, text = self.compare(1000, {"guest": "6.2", "machine": "6.1-b"})
        self.assertEqual(worse, 0)
        self.assertIn("skipped counts", text)


class Twice(unittest.TestCase):
    def test_each_row_has_its_largest_difference(self):
        def record(engine, **rows):
            return {"engine": engine, "kind": "linux", "workloads": list(rows), "rows": rows}
        first = [record("soft", getppid=100.0, page_touch=50.0), record("shadow", getppid=200.0)]
        text = "\n".join(report.repeat_table(
            first, [record("soft", getppid=100.0, page_touch=50.0), record("shadow", getppid=201.0)]))
        self.assertIn("largest difference in 3 figures is 0.5000 % (getppid in shadow)", text)
        self.assertIn("| getppid | 0.5000 | shadow |", text)
        self.assertIn("| page_touch | 0.0000 |  |", text)


class Tables(unittest.TestCase):
    RECORDS = [{"engine": "soft:lazy@kvm", "kind": "linux", "workloads": ["getppid", "page_touch"], "rows": {"start_to_user_space": 5e9, "getppid": 100.0}},
               {"engine": "mmap", "kind": "bare_mmu", "workloads": ["bare_mmu"], "rows": {"mmu_data_abort": 7.0}}]

    def test_the_head_says_where_the_figures_are_from(self):
        around = conditions.end(conditions.start(["scripts/count/run.py", "a b"], "/nonexistent/crosswalk"))
        text = report.tables(self.RECORDS, {**ABOUT, "memory": "512M", "conditions": around})
        for line in ("| program | crosswalk unknown, commit unknown |", "| host | ", "| load average | ", "| command | scripts/count/run.py 'a b' |"):
            self.assertIn(line, text)

    def test_figures_as_csv(self):
        text = tidy.as_csv(tidy.RESULTS, tidy.count_rows(self.RECORDS, {"commit": "c0ffee"}))
        rows = list(csv.DictReader(io.StringIO(text)))
        found = [tuple(row[name] for name in ("engine", "mode", "flush", "group", "workload", "row", "value", "unit", "commit")) for row in rows]
        self.assertEqual(found, [
            ("soft:lazy@kvm", "soft", "lazy", "boot", "getppid", "start_to_user_space", "5000000000.0", "instructions", "c0ffee"),
            ("soft:lazy@kvm", "soft", "lazy", "system", "getppid", "getppid", "100.0", "instructions", "c0ffee"),
            ("mmap", "mmap", "", "bare", "bare_mmu", "mmu_data_abort", "7.0", "instructions", "c0ffee")])


class Model(unittest.TestCase):
    def test_events_cost_what_the_parameters_say(self):
        part = {"total": 1000, "events": {"vm iret": 10, "kernel vmrun": 2}}
        times = model.events_of(part)
        self.assertEqual(times, {"instruction": 1000, "vm-iret": 10, "walk": 10, "vmrun": 2})
        parameters = {name: ((1, 2, 3), "", "") for name in model.PARAMETERS}
        self.assertEqual(model.cycles_of(times, parameters, 1), 2 * 1022)

    def test_calibration_compares_each_row(self):
        rows = {"integer_alu": 10.0, "getppid": 100.0}
        records = [{"engine": engine, "rows": rows} for engine in ("soft", "mmap")]
        found = {"soft": {"integer_alu": [5, 10, 20], "getppid": [50, 100, 200]},
                 "mmap": {"integer_alu": [5, 10, 20], "getppid": [50, 100, 200]}}
        bench = {"soft": {"integer_alu": [6.0, 5.0], "getppid": [300.0]}, "mmap": {"integer_alu": [2.5], "getppid": [50.0]}}
        text = "\n".join(model.calibration(records, found, bench, 2.0))
        self.assertIn("| integer_alu | 5.00, 5.00 | 1.00 | 5.00, 2.50 | 0.50 |", text)
        self.assertIn("| getppid | 50.0, 300 | 6.00 * | 50.0, 50.0 | 1.00 |", text)
        self.assertIn("| mmap | compute | 1.00 | 2.00 |", text)


if __name__ == "__main__":
    unittest.main()
