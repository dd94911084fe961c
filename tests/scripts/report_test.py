#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What results say of themselves: conditions, spread, the report's text, HTML and plots, and the CSV files."""
import csv
import html.parser
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(ROOT, "scripts/experiments"))
import counters  # noqa: E402
import conditions  # noqa: E402  counters says where it is
import document  # noqa: E402
import model  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import tidy  # noqa: E402

AROUND = {"version": "0.1", "commit": "c0ffee", "date": "2026-11-27T17:14:37Z", "command": "crosswalk run --append 'a, \"b\"'", "host_cpu": "A CPU", "host_cpus": 4,
          "host_kernel": "6.1", "host_virtual": "no", "host_kvm": "kvm_amd, nested paging on", "load_start": 0.5, "load_end": 1.25}


def record(engine, workload, values, repeat=0, statistics=None, **around):
    rows = values if isinstance(values, dict) else {workload: values}
    return {"engine": engine, "workload": workload, "repeat": repeat, "id": f"{engine} {workload} {repeat}", "status": "ok", "started": 1.0,
            "seconds": 2.5, "rows": rows, "totals": {workload: 100}, "statistics": statistics, "binary": "b", "conditions": {**AROUND, **around}}


def costs():
    return {name: default for name, (default, _, _) in model.OPTIONS.items()} | {"fault-path": "upcall"}


class Conditions(unittest.TestCase):
    def test_all_keys_are_there(self):
        around = conditions.end(conditions.start(["a", "b c"], "/nonexistent/crosswalk"))
        self.assertEqual(tuple(around), conditions.KEYS)
        self.assertEqual(list(tidy.CONDITIONS), list(conditions.KEYS))
        self.assertEqual((around["version"], around["command"]), ("unknown", "a 'b c'"))
        self.assertRegex(around["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_the_program_says_what_it_is(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/crosswalk"
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho crosswalk 1.2; echo commit abc+; echo built by GCC 12, -O2\n")
            os.chmod(path, 0o755)
            self.assertEqual(conditions.program(path), ("1.2", "abc+"))

    def test_host(self):
        self.assertEqual(conditions.cpu_of("processor\t: 0\nmodel name\t: An x\nflags\t\t: fpu hypervisor\n\nmodel name\t: other\n"), ("An x", True))
        self.assertEqual(conditions.cpu_of(""), ("unknown", False))
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(conditions.kvm_of(folder), "none")
            os.makedirs(f"{folder}/kvm_amd/parameters")
            self.assertEqual(conditions.kvm_of(folder), "kvm_amd")
            with open(f"{folder}/kvm_amd/parameters/npt", "w", encoding="utf-8") as file:
                file.write("1\n")
            self.assertEqual(conditions.kvm_of(folder), "kvm_amd, nested paging on")

    def test_spread_is_the_interquartile_range(self):
        self.assertIsNone(conditions.spread([]))
        self.assertIsNone(conditions.spread([5]))
        self.assertAlmostEqual(conditions.spread([100, 104, 96, 98, 102]), 0.04)
        self.assertAlmostEqual(conditions.spread([90, 110]), 0.1)
        self.assertFalse(conditions.is_noisy([90, 110]))
        self.assertTrue(conditions.is_noisy([89, 111]))

    def test_a_host_is_busy_above_its_cpus(self):
        self.assertFalse(conditions.host_is_busy({"host_cpus": 2, "load_start": 1.0, "load_end": 2.0}, 1))
        self.assertTrue(conditions.host_is_busy({"host_cpus": 2, "load_start": 1.1, "load_end": 1.0}, 1))
        self.assertTrue(conditions.host_is_busy({"host_cpus": 2, "load_start": 0.0, "load_end": 2.1}, 1))
        self.assertFalse(conditions.host_is_busy({"host_cpus": 2, "load_start": None, "load_end": None}, 1))
        self.assertFalse(conditions.host_is_busy({}, 1))

    def test_shell_scripts_have_them_as_a_line(self):
        done = subprocess.run([f"{ROOT}/scripts/conditions.py", "start", "--crosswalk", "/nonexistent", "make", "x y"], capture_output=True, text=True, check=True)
        word, _, text = done.stdout.partition(" ")
        self.assertEqual((word, json.loads(text)["command"]), ("conditions:", "make 'x y'"))
        done = subprocess.run([f"{ROOT}/scripts/conditions.py", "begin"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))


class Noise(unittest.TestCase):
    def test_far_samples_and_a_busy_host_are_marked(self):
        results = counters.Results([record("soft", "getppid", 100), record("soft", "getppid", 150, 1), record("mmap", "getppid", 100),
                                    record("mmap", "getppid", 101, 1), record("ept", "getppid", 100, load_end=4.5)])
        self.assertTrue(results.noisy("soft", "getppid"))
        self.assertFalse(results.noisy("mmap", "getppid"))
        self.assertTrue(results.noisy("ept", "getppid"))
        self.assertEqual(report.timed(results, "soft", "getppid", 2), "125 ns (20 %)* 2.00x")
        self.assertEqual(report.timed(results, "mmap", "getppid"), "100 ns (0 %)")
        self.assertEqual(report.timed(results, "qemu", "getppid"), "n/a")


class Tables(unittest.TestCase):
    def test_rows_and_columns_of_nothing_are_left_out(self):
        made = document.Document()
        self.assertTrue(made.table(["row", "a", "b", "c"], [["x", "1", "n/a", "n/a"], ["y", "n/a", "n/a", "n/a"], ["z", "n/a", "n/a", "3"]]))
        self.assertEqual(made.markdown(), "| row | a | c |\n|---|---:|---:|\n| x | 1 | n/a |\n| z | n/a | 3 |\n")
        self.assertFalse(made.table(["row", "a"], [["x", "n/a"]], "a note of nothing"))
        self.assertEqual(len(made.blocks), 1)

    def test_headings_of_nothing_are_left_out_and_the_contents_have_the_others(self):
        made = document.Document()
        for text, level in (("Title", 1), ("Empty", 2), ("Also empty", 3), ("Full", 2), ("Below", 3)):
            made.heading(text, level)
            if text == "Title":
                made.contents()
        made.text("words")
        self.assertEqual(made.headings(), [("Full", 2), ("Below", 3)])
        self.assertIn("- [Full](#full)\n  - [Below](#below)", made.markdown())
        self.assertIn("href='#below'", made.html("t"))

    def test_code_in_html_has_no_backticks(self):
        self.assertEqual(document.prose("`a<b` takes 3 µs"), "<code>a&lt;b</code> takes 3\u00a0µs")


class Page(html.parser.HTMLParser):
    """Ids, links to them, text outside of styles, and whether each tag that is opened is closed."""
    VOID = {"meta", "rect", "path", "use", "circle", "feFlood", "feComposite"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.words, self.wrong = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"][1:]] if tag == "a" else []
        if tag not in {name.lower() for name in self.VOID}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


class Report(unittest.TestCase):
    def write(self, folder):
        flush = {f"flush_{n}_use_{k}": 5000 + 100.0 * n + 2000 * k for n in (16, 64, 256, 1024) for k in (1, n // 4, n)}
        some, none = {"engine": {"window faults": 1000}, "mmu": {"walks": 10}}, {"engine": {"window faults": 0}, "mmu": {"walks": 0}}
        records = [record("qemu", "getppid", 400), record("qemu", "qsort_ints", 10)]
        for engine in ("soft", "shadow/lazy", "shadow/eager"):
            records += [record(engine, "getppid", 100.0 + 30 * repeat, repeat, some) for repeat in range(3)]
            records += [record(engine, "qsort_ints", 5, 0, some), record(engine, "bare_flush", flush, 0, none),
                        record(engine, "boot", {"start_to_user_space": 2e9}, 0, none), record(engine, "getppid@setup", {}, 0, none) | {"totals": {}}]
        records += [record("icount", "getppid", 170), {**record("ept", "getppid", {}), "status": "failed", "reason": "exit status 3: `why` | not"}]
        matrix = {"description": "A test.", "modes": ["soft"], "workloads": ["getppid"], "repeats": 3}
        report.write(folder, "test", matrix, [{}] * len(records), records, costs())
        files = {}
        for name in ("report.md", "report.html", "results.csv", "counters.csv"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                files[name] = file.read()
        return files

    def test_text_and_page(self):
        with tempfile.TemporaryDirectory() as folder:
            files = self.write(folder)
            pictures = os.listdir(f"{folder}/plots")
        for text in ("| host | A CPU, 4 CPUs, Linux 6.1, KVM: kvm_amd, nested paging on |", "| Crosswalk | 0.1, commit c0ffee |",
                     "| load average | 0.5 to 1.25, the guests' own in it |", "- [Cost of a flush](#cost-of-a-flush)", conditions.RULE, "130 ns (23 %)* 3.08x",
                     "### Walks per million instructions", "exit status 3: `why` / not"):
            self.assertIn(text, files["report.md"])
        # Nothing of it was measured.
        self.assertNotIn("### VM exits", files["report.md"])
        page = Page()
        page.feed(files["report.html"])
        self.assertEqual((page.open, page.wrong), ([], []))
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertTrue(page.links and set(page.links) <= set(page.ids))
        self.assertNotIn("`", "".join(page.words))
        self.assertIn("prefers-color-scheme:dark", files["report.html"])
        self.assertIn("name='viewport'", files["report.html"])
        for table in re.findall(r"<table.*?</table>", files["report.html"]):
            for row in re.findall(r"<tr>(<td.*?)</tr>", table):
                self.assertRegex(row, r"</td><td(?! class='na')", "a row of n/a")
        if plots.available():
            self.assertEqual([name for name in pictures if name.startswith("flush")], ["flush.svg"])
            self.assertIn("speed-up-system.svg", pictures)

    def test_csv_has_a_row_for_each_sample_and_the_columns_of_the_schema(self):
        with tempfile.TemporaryDirectory() as folder:
            files = self.write(folder)
        types = {"text": str, "number": float, "integer": int}
        for name, columns in (("results.csv", tidy.RESULTS), ("counters.csv", tidy.COUNTERS)):
            rows = list(csv.DictReader(io.StringIO(files[name])))
            self.assertEqual(list(rows[0]), list(columns))
            for row in rows:
                self.assertNotIn(None, row)
                for column, (kind, _, _) in columns.items():
                    if row[column]:
                        types[kind](row[column])
        rows = list(csv.DictReader(io.StringIO(files["results.csv"])))
        soft = [row for row in rows if (row["engine"], row["row"]) == ("soft", "getppid")]
        self.assertEqual([(row["repeat"], row["value"], row["unit"], row["noisy"]) for row in soft],
                         [("1", "100.0", "ns", "yes"), ("2", "130.0", "ns", "yes"), ("3", "160.0", "ns", "yes")])
        self.assertEqual(soft[0]["command"], AROUND["command"])
        self.assertEqual([(row["mode"], row["flush"]) for row in rows if row["engine"] == "shadow/lazy"][0], ("shadow", "lazy"))
        self.assertEqual({row["unit"] for row in rows if row["engine"] == "icount"}, {"instructions"})
        self.assertFalse([row for row in rows if row["engine"] == "ept"])
        walks = [row for row in csv.DictReader(io.StringIO(files["counters.csv"])) if row["counter"] == "walks" and row["workload"] == "getppid"]
        self.assertEqual({row["value"] for row in walks}, {"10"})

    def test_the_schema_is_documented(self):
        with open(f"{ROOT}/docs/experiments.md", encoding="utf-8") as file:
            self.assertTrue(tidy.schema() in file.read(), "docs/experiments.md lacks what scripts/experiments/tidy.py --schema prints")

    def test_results_of_bench_in_the_same_form(self):
        bench = {"conditions": AROUND, "engines": {"shadow:lazy": {"skipped": "", "workloads": {"getppid": {
            "group": "system", "noisy": True, "samples_ns": [1.5, 2.5]}}}, "ept": {"skipped": "no KVM"}}}
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/bench.json", "w", encoding="utf-8") as file:
                json.dump(bench, file)
            program = [f"{ROOT}/scripts/experiments/tidy.py"]
            text = subprocess.run([*program, f"{folder}/bench.json"], capture_output=True, text=True, check=True).stdout
            rows = list(csv.DictReader(io.StringIO(text)))
            self.assertEqual([(row["engine"], row["flush"], row["value"], row["noisy"], row["commit"]) for row in rows],
                             [("shadow/lazy", "lazy", "1.5", "yes", "c0ffee"), ("shadow/lazy", "lazy", "2.5", "yes", "c0ffee")])
            with open(f"{folder}/bench.json", "w", encoding="utf-8") as file:
                file.write("[]")
            done = subprocess.run([*program, f"{folder}/bench.json"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)


@unittest.skipUnless(plots.available(), "gnuplot is not installed")
class Plots(unittest.TestCase):
    def check(self, svg):
        self.assertTrue(svg.startswith("<svg") and "</svg>" in svg)
        # What is black would be invisible on a dark page, and white on a light one.
        self.assertNotIn("black", svg)
        self.assertNotRegex(svg, r"fill=.white")
        self.assertIn("prefers-color-scheme", plots.standalone(svg))

    def test_awkward_names_and_missing_values(self):
        svg = plots.dots("a", 'a "title" _{x}', "y", ["one|two", "tab\tand %s"], {"soft": [1.5, None], "none": [None, None]}, 1,
                         {"soft": [(1.2, 1.7), None]}, {("soft", "one|two")})
        self.check(svg)
        self.assertIn("one|two", svg)
        self.assertIsNone(plots.dots("a", "t", "y", [], {}))

    def test_lines_and_shares(self):
        self.check(plots.lines("b", "t", "x", "y", {"soft": [(16, 1e-6), (64, 5e-6)], "soft, one": [(16, 1e-6)]}, {16: "16", 64: "64"}, {"soft, one": "soft"}))
        self.check(plots.lines("b", "t", "x", "y", {"soft": [(16, 1e-6)]}, {16: "16"}))
        self.check(plots.shares("c", "t", ["w", "v"], {"work": [60.0, 100.0], "fault": [40.0, None]}))
        self.assertIsNone(plots.lines("b", "t", "x", "y", {}, {}))

    def test_ratios_have_round_tics(self):
        self.assertEqual(plots.ratio_tics(0.4, 6), [0.5, 1, 2, 5])
        self.assertEqual(plots.ratio_tics(0.5, 2000), [1, 10, 100, 1000])


if __name__ == "__main__":
    unittest.main()
