#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes compile_commands.json, for clang-tidy and clangd; leaves an equal file as it is.

compile-commands.py OUTPUT FLAGS...     FLAGS are those of the Makefile
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    output, flags = sys.argv[1], [flag for flag in sys.argv[2:] if flag not in ("-MMD", "-MP", "-Werror")]
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.cc"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    commands = [{"directory": ROOT, "file": name, "arguments": ["g++", *flags, "-c", name]}
                for name in sorted(set(listed)) if os.path.isfile(os.path.join(ROOT, name))]
    text = json.dumps(commands, indent=1) + "\n"
    if os.path.isfile(output):
        with open(output) as file:
            if file.read() == text:
                return
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    with open(output, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
