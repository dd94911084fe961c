# SPDX-License-Identifier: GPL-2.0-or-later
"""The cells of a matrix, where their results are kept, and how one is run."""
import contextlib
import fcntl
import hashlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time

import processes
import workloads

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import conditions  # noqa: E402

SETTINGS = {"milliseconds": 300, "memory": "512M", "kernel": "armmp", "timeout": 300, "smp": 1, "restore": False}
MATRIX_KEYS = {"modes", "flush", "workloads", "repeats", "instructions", "description", *SETTINGS}


def read_matrix(path):
    """A matrix file: {"modes": […], "flush": […], "workloads": […], "repeats": N, …}. Raises ValueError."""
    try:
        with open(path) as file:
            matrix = json.load(file)
    except OSError as error:
        raise ValueError(f"--matrix: cannot read {path}: {error.strerror}")
    except json.JSONDecodeError as error:
        raise ValueError(f"--matrix: {path}: {error}")
    if not isinstance(matrix, dict):
        raise ValueError(f"--matrix: {path}: not an object")
    unknown = set(matrix) - MATRIX_KEYS
    if unknown:
        raise ValueError(f"--matrix: {path}: unknown keys {', '.join(sorted(unknown))}")
    for key in ("modes", "workloads"):
        if not isinstance(matrix.get(key), list) or not all(isinstance(word, str) for word in matrix[key]):
            raise ValueError(f"--matrix: {path}: '{key}' has to be a list of names")
    return matrix


def plan(matrix, flush_known):
    """All cells in the order in which they run: engines follow each other closely on each workload of each repeat."""
    settings = {key: matrix.get(key, default) for key, default in SETTINGS.items()}
    names = workloads.expand(matrix["workloads"])
    boots = [boot for boot in (workloads.BOOT, workloads.BOOT_PROGRAMS)
             if any(workloads.boot_of(name) == boot for name in names)]
    engines = workloads.engines_of(matrix["modes"], matrix.get("flush", []), flush_known)
    cells = []

    def add(engine, workload, repeat):
        if workloads.can_run(engine, workload):
            cell = {"engine": engine, "workload": workload, "repeat": repeat}
            relevant = dict(settings)
            relevant.pop("timeout")
            if relevant["smp"] == 1:
                relevant.pop("smp")  # as in results without the key
            if not workloads.restores(cell, relevant):
                relevant.pop("restore")
            if workloads.kind_of(workload) != "linux" or workload.endswith(workloads.SETUP):
                relevant.pop("milliseconds")
            text = json.dumps([cell, relevant], sort_keys=True)
            cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:16]
            cells.append(cell)

    if matrix.get("instructions", True):
        # One run is enough: the count hardly varies.
        for name in boots + names:
            add("icount", name, 0)
    for repeat in range(int(matrix.get("repeats", 3))):
        for name in boots + names:
            for engine in engines:
                add(engine, name, repeat)
                # Counts hardly vary: once is enough for what is taken off.
                if repeat == 0 and workloads.has_statistics(engine) and workloads.setup_of(name) and engine != "flat":
                    add(engine, workloads.setup_of(name), repeat)
    return cells, settings


class Store:
    """cells.jsonl in the output folder: one line per finished cell, the last one of an id counts."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "cells.jsonl")
        os.makedirs(folder, exist_ok=True)
        self.lock = None

    def exclusive(self):
        """Keeps a second run out of the same folder."""
        self.lock = open(os.path.join(self.folder, ".lock"), "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"run.py: another run is writing to {self.folder}")

    def load(self):
        records = {}
        if os.path.exists(self.path):
            with open(self.path, errors="replace") as file:
                for line in file:
                    try:
                        record = json.loads(line)
                        records[record["id"]] = record
                    except (ValueError, KeyError, TypeError):
                        continue  # cut short by a crash: that cell runs again
        return records

    def append(self, record):
        data = (json.dumps(record, sort_keys=True) + "\n").encode()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            written = os.write(descriptor, data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes written to {self.path}")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write_single(self, record):
        """One file per cell, for tasks of a job array that run at the same time."""
        folder = os.path.join(self.folder, "cells")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, record["id"] + ".json")
        with open(path + ".new", "w") as file:
            json.dump(record, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    def collect(self):
        """Merges the single files. Returns how many were new."""
        folder, known, new = os.path.join(self.folder, "cells"), self.load(), 0
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if not name.endswith(".json"):
                continue
            with open(os.path.join(folder, name)) as file:
                record = json.load(file)
            if known.get(record["id"], {}).get("started", 0) < record["started"]:
                self.append(record)
                new += 1
        return new


def identity(path):
    """The beginning of a file's SHA-256."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise SystemExit(f"run.py: cannot read {path}: {error.strerror}; build it with 'make', or name it with --crosswalk")
    return digest.hexdigest()[:12]


def run_process(arguments, timeout, text=""):
    """Runs a process to its end, with this text as its standard input. Returns its status, whether it took too long, (seconds, line) pairs of its standard
    output and the last line of its standard error. It is killed when this is interrupted."""
    start = time.monotonic()
    lines, error_text, late = [], "", False
    with processes.child(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(text.encode())  # short: a pipe holds it
            process.stdin.close()
        with selectors.DefaultSelector() as selector:
            pending = {process.stdout: b"", process.stderr: b""}
            for stream in pending:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                left = timeout - (time.monotonic() - start)
                if left <= 0:
                    late = True
                    break
                for key, _ in selector.select(left):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    parts = (pending[key.fileobj] + data).split(b"\n")
                    pending[key.fileobj] = parts.pop()
                    if not data and pending[key.fileobj]:
                        parts.append(pending[key.fileobj])
                    now = time.monotonic() - start
                    for part in parts:
                        text = part.decode(errors="replace").rstrip("\r")
                        if key.fileobj is process.stdout:
                            lines.append((now, text))
                        elif text.strip():
                            error_text = text.strip()
        if not late:
            process.wait()
    return process.returncode, late, lines, error_text


def save_guest(path, settings, crosswalk, images):
    """Boots a guest and makes a snapshot of it where bench-linux waits for its words, unless there is one that is newer than
    what it is made of. Returns what went wrong, or None."""
    kernel, initrd = f"{images}/{settings['kernel']}/vmlinuz", f"{images}/initrd-bench.gz"
    with contextlib.suppress(FileNotFoundError):
        if os.path.getmtime(path) >= max(os.path.getmtime(file) for file in (crosswalk, kernel, initrd)):
            return None
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="crosswalk-save.") as scratch:
        control = f"unix:{scratch}/control"
        line = [crosswalk, "run", "--semihosting", "--mmu", "soft", "--memory", settings["memory"], "--smp", str(settings["smp"]),
                "--timeout", str(settings["timeout"]), "--control", control, "--kernel", kernel, "--initrd", initrd,
                "--append", "console=ttyAMA0 quiet rdinit=/bench-linux -- --wait"]
        with open(f"{scratch}/errors", "w+") as errors, \
                processes.child(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as guest:
            # --timeout ends it, and so this.
            if not any(text.strip() == workloads.WAITING for text in guest.stdout):
                errors.seek(0)
                return f"the guest to be saved does not wait: {errors.read().strip()}"
            done = subprocess.run([crosswalk, "snapshot", "--control", control, "--output", path + ".new", "--quit"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                return f"no snapshot of the guest: {done.stdout.strip()}"
    os.replace(path + ".new", path)
    return None


def missing_device(engine):
    """The device that this engine needs and may not open here, or None."""
    for device, modes in (("/dev/kvm", ("shadow", "ept")), ("/dev/crosswalk", ("kmod",))):
        if engine.partition("/")[0] in modes and not os.access(device, os.R_OK | os.W_OK):
            return device
    return None


def run_cell(cell, settings, crosswalk, images, binary):
    """Runs one cell and returns its record. status is ok, failed or skipped (this host cannot run that engine)."""
    if device := missing_device(cell["engine"]):
        return {**cell, "settings": settings, "started": time.time(), "seconds": 0.0, "binary": binary, "rows": {}, "totals": {},
                "conditions": conditions.start([], crosswalk), "statistics": None, "status": "skipped", "reason": f"cannot open {device}"}
    with tempfile.TemporaryDirectory(prefix="crosswalk-cell.") as scratch:
        stats_file = os.path.join(scratch, "stats.json")
        line = workloads.command(cell, settings, crosswalk, images, stats_file)
        around = conditions.start(line, crosswalk)
        started = time.time()
        asked = " ".join(workloads.words(cell, settings)) + "\n" if workloads.restores(cell, settings) else ""
        status, late, lines, error_text = run_process(line, settings["timeout"], asked)
        record = {**cell, "settings": settings, "started": started, "seconds": round(time.time() - started, 3),
                  "conditions": conditions.end(around),
                  "binary": binary if workloads.needs_program(cell["engine"]) is None else None, "status": "ok"}
        statistics = None
        if os.path.exists(stats_file):
            with open(stats_file) as file:
                try:
                    statistics = json.load(file)
                except ValueError:
                    error_text = "the statistics are no JSON"
        rows, totals, first, problem, ended = workloads.parse_output(lines)
    record.update(rows=rows, totals=totals, statistics=statistics)
    if first is not None:
        record["rows"] = {**rows, workloads.BOOT_ROW: first * 1e9} if cell["workload"] == workloads.BOOT else rows
        record["boot_seconds"] = round(first, 4)
    if cell["workload"].endswith(workloads.SETUP):
        record["rows"] = {}
    native = cell["engine"] in ("native", "qemu-user")
    wanted = workloads.group_of(cell["workload"]) not in ("boot", "setup", "bare", "flat")
    why = None
    if late:
        why = f"no end after {settings['timeout']} s"
    elif problem:
        why = problem
    elif status != 0:
        why = f"exit status {status}" + (f": {error_text}" if error_text else "")
    elif not native and not ended:
        why = "the guest ended too early"
    elif (wanted and cell["workload"] not in rows) or (workloads.kind_of(cell["workload"]) == "bare" and not rows):
        why = "no result"
    if why:
        record["status"], record["reason"] = "failed", why
        # Refused before the guest printed anything: this host or binary cannot run that engine.
        if status == 2 and not lines and not late and not native:
            record["status"] = "skipped"
    return record
