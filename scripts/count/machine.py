# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulated machine that runs one cell, and what it prints.

The machine is QEMU's emulation of an AMD CPU with SVM and nested paging. Under `-icount shift=0` its clock advances one
nanosecond for each executed instruction, and nothing in it depends on the host's time or chance: its random numbers have a
seed, its clocks a fixed start, its serial port is a file, and a sleep ends at once. Two runs of one cell print the same
bytes.
"""
import bisect
import collections
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from statistics import median

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
sys.path.append(f"{ROOT}/scripts/experiments")
import processes  # noqa: E402

FIRST_OUTPUT = "crosswalk: first user-space output"


class CellError(Exception):
    """Why a cell has no result; one line."""


PROGRESS_SECONDS = 60


def run(cell_command, preparation, programs, files, settings, say):
    """Returns (output lines, text of the split) of the command's run. `preparation` is shell that the machine runs
    before; say(LINE) is called once a minute with the last line that the machine has printed. Raises CellError."""
    tools = settings["tools"]
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/cell", "w", encoding="utf-8") as script:
            script.write(preparation + "count-run " + " ".join(shlex.quote(word) for word in cell_command) + " 2>/tmp/errors\n"
                         "sed 's/^/count: error /' /tmp/errors | tail -n 5\n")
        pack = [f"{ROOT}/scripts/pack-machine.py", f"{scratch}/initrd", settings["machine"],
                f"{ROOT}/tests/guests/count/init", f"--file=cell={scratch}/cell"]
        pack += [f"--program={program}" for program in programs + [f"{tools}/count-run"]]
        pack += [f"--file={path}={source}" for path, source in files.items()]
        done = subprocess.run(pack, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CellError(f"the machine's image: {(done.stderr or done.stdout).strip()}")
        line = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,+svm,+npt,-la57", "-icount", "shift=0,sleep=off",
                "-seed", "1", "-rtc", "base=2024-01-01,clock=vm", "-m", "4G", "-display", "none", "-nodefaults",
                "-no-user-config", "-serial", f"file:{scratch}/serial", "-monitor", "none", "-no-reboot",
                "-kernel", f"{settings['machine']}/vmlinuz", "-initrd", f"{scratch}/initrd",
                "-append", "console=ttyS0 quiet panic=-1 nokaslr norandmaps"]
        if settings["split"]:
            line += ["-plugin", f"{tools}/split.so,out={scratch}/split"]
        try:
            with processes.child(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True) as process:
                errors = wait_for(process, settings["timeout"], lambda: say(last_line(f"{scratch}/serial")))
            problem = f"QEMU ended with status {process.returncode}: {errors.strip()[-200:]}"
        except subprocess.TimeoutExpired:
            problem = f"no end after {settings['timeout']} s"
        except OSError as error:
            raise CellError(f"cannot run qemu-system-x86_64: {error.strerror}; install Debian's qemu-system-x86") from error
        lines = read_lines(f"{scratch}/serial")
        if "count: done" not in lines:
            raise CellError(f"{problem}; the machine's last lines: {' | '.join(lines[-3:])}")
        split = ""
        if settings["split"]:
            with open(f"{scratch}/split", encoding="utf-8") as file:
                split = file.read()
        return lines, split


def wait_for(process, timeout, progress):
    """What the process wrote to its standard error until it ended. Raises subprocess.TimeoutExpired."""
    left = timeout
    while True:
        try:
            return process.communicate(timeout=min(left, PROGRESS_SECONDS))[1]
        except subprocess.TimeoutExpired:
            left -= PROGRESS_SECONDS
            if left <= 0:
                raise
            progress()


def last_line(path):
    return next((line for line in reversed(read_lines(path)) if line.strip()), "nothing printed yet")


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\r") for line in file.read().replace("\r\n", "\n").split("\n")]


def parse(lines, split, binary):
    """What the machine printed, as a record: rows {name: instructions per operation}, split {name: {where:
    instructions}}, functions {name: [[function, instructions]]}, counters, and what went wrong, if anything did. A row is the
    median of its slices but the first, a split is of the last slice. `binary` is the program whose functions are named, or empty."""
    record = {"rows": {}, "split": {}, "functions": {}, "counters": {}, "problem": None, "machine_kernel": None}
    marks, maps, elapsed, status, errors, ended = [], [], 0, None, [], False
    statistics, slices = None, {}
    for line in lines:
        timed = re.match(r"(\d+) (.*)", line)
        if line.startswith("count: kernel "):
            record["machine_kernel"] = line.split()[2]
        elif line == "count: statistics":
            statistics = []
        elif line == "count: end of statistics":
            record["counters"] = json.loads("\n".join(statistics))
            statistics = None
        elif statistics is not None:
            statistics.append(line)
        elif line.startswith("count: mark "):
            marks.append(line.split()[2])
        elif line.startswith("count: map "):
            maps.append(line[len("count: map "):].split())
        elif line.startswith("count: status "):
            words = line.split()
            status, elapsed = int(words[2]), int(words[4])
        elif line.startswith("count: error "):
            errors.append(line[len("count: error "):])
        elif timed:
            at, text = int(timed.group(1)), timed.group(2)
            name, tab, value = text.partition("\t")
            if text == FIRST_OUTPUT:
                record["rows"]["start_to_user_space"] = at
            elif text.startswith("bench: end"):
                ended = text == "bench: end 0"
            elif tab and re.fullmatch(r"\d+(\.\d+)?", value):
                slices.setdefault(name, []).append(float(value))
            elif text.startswith("bench: ") and not text.startswith(("bench: begin", "bench: ready")):
                errors.append(text)
    for name, values in slices.items():
        # The first slice still translates.
        record["rows"][name] = median(values[1:] or values)
    if "start_to_user_space" in record["rows"]:
        record["rows"]["start_to_power_off"] = elapsed
    record["elapsed"] = elapsed
    if split:
        places = Places(maps, binary)
        for name, part in zip(marks + ["run"], parse_split(split)):
            record["split"][name], record["functions"][name] = places.summarize(part)
    native = "start_to_user_space" not in record["rows"] and not ended
    if status != 0:
        record["problem"] = f"exit status {status}: {' | '.join(errors[-2:])}"
    elif errors and not record["rows"]:
        record["problem"] = errors[-1]
    elif native and not record["rows"]:
        record["problem"] = "no rows"
    return record


def parse_split(text):
    """The parts in the plugin's output, each {totals: {class: instructions}, events: {"class instruction": times},
    blocks: [(class, address, instructions)]}."""
    parts = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "part":
            parts.append({"totals": {}, "blocks": [], "events": {}})
        elif words[0] == "total":
            parts[-1]["totals"][words[1]] = int(words[2])
        elif words[0] == "event":
            if words[3] != "0":
                parts[-1]["events"][f"{words[1]} {words[2]}"] = int(words[3])
        else:
            parts[-1]["blocks"].append((words[1], int(words[2], 16), int(words[3])))
    return parts


class Places:
    """Names what is at an address of the process that was counted."""

    FUNCTIONS = 40  # kept of each part

    def __init__(self, maps, binary):
        # [first, last, file offset, path]
        self.maps = []
        for fields in maps:
            first, last = (int(word, 16) for word in fields[0].split("-"))
            self.maps.append((first, last, int(fields[2], 16), fields[5] if len(fields) > 5 else ""))
        self.binary = os.path.basename(binary)
        self.symbols = symbols_of(binary)
        self.starts = [symbol[0] for symbol in self.symbols]

    def name(self, kind, address):
        """(translated, engine or kernel; function, library or area)"""
        if kind == "kernel":
            # The x86-64 kernel has modules, KVM among them, from here on
            # (Documentation/x86/x86_64/mm.rst).
            return "kernel", "kernel modules" if address >= 0xffffffffc0000000 else "kernel"
        for first, last, offset, path in self.maps:
            if first <= address < last:
                if path == f"/bin/{self.binary}":
                    index = bisect.bisect(self.starts, address - first + offset) - 1
                    return "engine", self.symbols[index][1] if index >= 0 else "?"
                # Translated code is in a mapping of no file of the system.
                return ("engine", os.path.basename(path)) if path.startswith(("/lib", "/usr", "/bin", "[")) else (
                    "translated", "translated code")
        return "engine", "other"

    def summarize(self, part):
        """({total, translated, engine, kernel, vm: instructions, events}, [[function, instructions]] from the largest on)"""
        totals, functions = part["totals"], collections.Counter()
        sums = collections.Counter()
        for kind, address, count in part["blocks"]:
            where, name = self.name(kind, address)
            sums[where] += count
            functions[name] += count
        total = sum(totals.values())
        # Rare blocks are in the total alone: they are the engine's.
        split = {"total": total, "translated": sums["translated"], "kernel": totals["kernel"], "vm": totals["vm"],
                 "engine": total - totals["kernel"] - sums["translated"], "events": part["events"]}
        return split, [list(pair) for pair in functions.most_common(self.FUNCTIONS)]


def symbols_of(binary):
    """[(file offset, name)] of its functions, sorted. Crosswalk's code has equal offsets and addresses but for a base."""
    if not binary:
        return []
    listed = subprocess.run(["nm", "-C", "--defined-only", binary], capture_output=True, text=True, check=False).stdout
    found = []
    for line in listed.splitlines():
        address, kind, name = (line.split(" ", 2) + ["", ""])[:3]
        if kind in "tTwW" and kind:
            found.append((int(address, 16), name))
    return sorted(found)
