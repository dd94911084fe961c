#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the initramfs of an emulated x86-64 machine: busybox, modules, programs with the shared libraries that they
load, and files.

usage: pack-machine.py OUTPUT MACHINE INIT [--program FILE]... [--file PATH=SOURCE]...
MACHINE is the folder that scripts/fetch-nested.sh makes, INIT the script that becomes /init. A program goes to
/bin/NAME without its debug information, a file to PATH.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def libraries_of(programs):
    """The shared libraries that these programs load, with their paths."""
    found = set()
    for program in programs:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        found |= set(re.findall(r"/[^ :]*\.so[^ ]*", listed))
    return sorted(found)


def folders_of(paths):
    """All folders above these absolute paths, each before what is in it."""
    folders = set()
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in ("", "/"):
            folders.add(folder)
            folder = os.path.dirname(folder)
    return sorted(folders)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("machine")
    parser.add_argument("init")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--file", action="append", default=[])
    options = parser.parse_args()
    entries = [f"dir:{name}" for name in ("bin:755", "dev:755", "proc:755", "sys:755", "tmp:1777")]
    entries += ["nod:dev/console:600:c:5:1", "nod:dev/null:666:c:1:3", f"file:init:755:{options.init}",
                f"file:bin/busybox:755:{options.machine}/busybox", "slink:bin/sh:busybox",
                f"tree:modules:{options.machine}/modules"]
    files = [entry.split("=", 1) for entry in options.file]
    libraries = libraries_of(options.program)
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders_of(libraries + ["/" + path for path, _ in files]):
            entries.append(f"dir:{folder[1:]}:755")
        for program in options.program:
            name = os.path.basename(program)
            if subprocess.run(["strip", "-o", f"{scratch}/{name}", program], check=False).returncode != 0:
                sys.exit(f"pack-machine: strip {program} failed")
            entries.append(f"file:bin/{name}:755:{scratch}/{name}")
        entries += [f"file:{library[1:]}:755:{os.path.realpath(library)}" for library in libraries]
        entries += [f"file:{path}:644:{source}" for path, source in files]
        done = subprocess.run([f"{HERE}/make-initramfs.py", options.output] + entries, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
