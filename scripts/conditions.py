#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The conditions of a measurement, for every file of results and every table; docs/experiments.md has the keys, which
vmm/host/conditions.h writes too. And how far samples lie apart, and which of them a busy host spoils.

Standalone, for shell scripts: `conditions.py start [--crosswalk PATH] COMMAND…` prints them as one line, and
`conditions.py end` the load average.
"""
import functools
import glob
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

UNKNOWN = "unknown"
KEYS = ("version", "commit", "date", "command", "host_cpu", "host_cpus", "host_kernel", "host_virtual", "host_kvm", "load_start", "load_end")
# Samples whose interquartile range is more than this share of their median are marked.
NOISY_SPREAD = 0.1
RULE = ("`*` marks a figure that a noisy host spoils: its interquartile range is above 10 % of its median, or the load average at its start or "
        "end, with the guests' own CPUs in it, was above the number of the host's CPUs.")


def read(path):
    """A file's text without white space around it, or an empty one."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def cpu_of(cpuinfo):
    """(model name, whether a hypervisor is below) from the text of /proc/cpuinfo."""
    fields = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields.get("model name", UNKNOWN), "hypervisor" in fields.get("flags", "").split()


def kvm_of(modules):
    """KVM's module, and whether it uses nested paging, from a folder like /sys/module."""
    found = [os.path.basename(path) for path in sorted(glob.glob(f"{modules}/kvm_*"))]
    if not found:
        return "none"
    for name, parameter in (("kvm_amd", "npt"), ("kvm_intel", "ept")):
        value = read(f"{modules}/{name}/parameters/{parameter}")
        if value:
            return f"{name}, nested paging {'on' if value in ('Y', '1') else 'off'}"
    return ", ".join(found)


@functools.lru_cache(maxsize=None)
def _host():
    cpu, virtual = cpu_of(read("/proc/cpuinfo"))
    return {"host_cpu": cpu, "host_cpus": len(os.sched_getaffinity(0)), "host_kernel": platform.release(),
            "host_virtual": "yes" if virtual else "no", "host_kvm": kvm_of("/sys/module") if os.path.exists("/dev/kvm") else "none"}


def load():
    """The load average of the last minute, or None."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


@functools.lru_cache(maxsize=None)
def program(path):
    """(version, commit) of a crosswalk program, by its --version."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN, UNKNOWN
    words = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return words.get("crosswalk", UNKNOWN), words.get("commit", UNKNOWN)


def start(command, crosswalk):
    """The conditions at the start of a measurement: `command` is a list of words, `crosswalk` the program's path."""
    version, commit = program(crosswalk)
    return {"version": version, "commit": commit, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "command": shlex.join(command),
            **_host(), "load_start": load()}


def end(conditions):
    """Completes what start() gave, and returns it."""
    conditions["load_end"] = load()
    return conditions


def host_text(conditions):
    """The host in words; of results without conditions "unknown"."""
    if "host_cpu" not in conditions:
        return UNKNOWN
    return (f"{conditions['host_cpu']}, {conditions['host_cpus']} CPUs{' of a virtual machine' if conditions['host_virtual'] == 'yes' else ''}, "
            f"Linux {conditions['host_kernel']}, KVM: {conditions['host_kvm']}")


def lines(conditions):
    """(title, text) pairs of a table's head."""
    averages = [f"{conditions[key]} at the {at}" for key, at in (("load_start", "start"), ("load_end", "end")) if conditions.get(key) is not None]
    return [("program", f"crosswalk {conditions['version']}, commit {conditions['commit']}"), ("date (UTC)", conditions["date"]),
            ("host", host_text(conditions)), ("load average", ", ".join(averages) or UNKNOWN), ("command", conditions["command"])]


def host_is_busy(conditions, guest_cpus):
    """Whether the host had more to run, at the start or at the end, than it has CPUs. `guest_cpus`: those that the load
    average at the start does not have yet."""
    cpus, before, after = (conditions.get(key) for key in ("host_cpus", "load_start", "load_end"))
    return bool(cpus) and ((before or 0) + guest_cpus > cpus or (after or 0) > cpus)


def quartiles(values):
    """(lower quartile, median, upper quartile), between samples by their distance, as numpy does it; of one sample None."""
    return tuple(statistics.quantiles(values, n=4, method="inclusive")) if len(values) > 1 else None


def spread(values):
    """The interquartile range as a share of the median, or None for fewer than two samples."""
    found = quartiles(values)
    return (found[2] - found[0]) / found[1] if found and found[1] > 0 else None


def is_noisy(values):
    found = spread(values)
    return found is not None and found > NOISY_SPREAD


def main():
    words = sys.argv[1:]
    if words == ["end"]:
        print(f"conditions: load average {load()} at the end")
        return 0
    if not words or words[0] != "start":
        print("conditions.py: give start [--crosswalk PATH] COMMAND…, or end", file=sys.stderr)
        return 2
    words, crosswalk = words[1:], "build/crosswalk"
    if words[:1] == ["--crosswalk"] and len(words) > 1:
        crosswalk, words = words[1], words[2:]
    print(f"conditions: {json.dumps(start(words, crosswalk))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
