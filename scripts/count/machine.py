# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulated machine that runs one cell, and what it prints.

The machine is QEMU's emulation of an AMD CPU with SVM and nested paging. Under `-icount shift=0` its clock advances one
nanosecond for each executed instruction, and nothing in it depends on the host's time or chance: its random numbers have a
seed, its clocks a fixed start, its serial port is a file, and a sleep ends at once. Two runs of one cell print the same
bytes.
"""
import json
import os
import re
import shlex
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
FIRST_OUTPUT = "crosswalk: first user-space output"


class CellError(Exception):
    """Why a cell has no result; one line."""


def run(cell_command, programs, files, settings):
    """Returns (output lines, text of the split) of the command's run. Raises CellError."""
    tools = settings["tools"]
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/cell", "w", encoding="utf-8") as script:
            script.write("count-run " + " ".join(shlex.quote(word) for word in cell_command) + " 2>/tmp/errors\n"
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
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=settings["timeout"], check=False)
            problem = f"QEMU ended with status {done.returncode}: {done.stderr.strip()[-200:]}"
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


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\r") for line in file.read().replace("\r\n", "\n").split("\n")]


def parse(lines, split):
    """What the machine printed, as a record: rows {name: instructions per operation}, split {name: {where: share}},
    counters, and what went wrong, if anything did."""
    record = {"rows": {}, "split": {}, "counters": {}, "problem": None, "machine_kernel": None}
    marks, maps, elapsed, status, errors, ended = [], [], 0, None, [], False
    statistics = None
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
                record["rows"][name] = float(value)
            elif text.startswith("bench: ") and not text.startswith(("bench: begin", "bench: ready")):
                errors.append(text)
    if "start_to_user_space" in record["rows"]:
        record["rows"]["start_to_power_off"] = elapsed
    record["elapsed"] = elapsed
    if split:
        parts = parse_split(split, maps)
        record["split"] = dict(zip(marks + ["run"], parts))
    native = "start_to_user_space" not in record["rows"] and not ended
    if status != 0:
        record["problem"] = f"exit status {status}: {' | '.join(errors[-2:])}"
    elif errors and not record["rows"]:
        record["problem"] = errors[-1]
    elif native and not record["rows"]:
        record["problem"] = "no rows"
    return record


def where_is(address, maps):
    """translated, engine or libraries: what the code at an address of user space is."""
    for fields in maps:
        first, last = (int(word, 16) for word in fields[0].split("-"))
        if first <= address < last:
            path = fields[5] if len(fields) > 5 else ""
            if path.startswith("/bin/"):
                return "engine"
            return "engine" if path.startswith(("/lib", "/usr")) or path.startswith("[") else "translated"
    return "engine"


def parse_split(text, maps):
    """For each part: {total, translated, engine, kernel: instructions}. `vm` is what of them is inside a VM."""
    parts = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "part":
            parts.append({"total": 0, "translated": 0, "engine": 0, "kernel": 0, "vm": 0})
        elif words[0] == "total":
            part, count = parts[-1], int(words[2])
            part["total"] += count
            if words[1] == "kernel":
                part["kernel"] = count
            elif words[1] == "vm":
                part["vm"] = count
        elif words[0] == "block" and words[1] != "kernel":
            address, count = int(words[2], 16), int(words[3])
            if where_is(address, maps) == "translated":
                parts[-1]["translated"] += count
    for part in parts:
        # Rare blocks are in the total alone: they are the engine's.
        part["engine"] = part["total"] - part["kernel"] - part["translated"]
    return parts
