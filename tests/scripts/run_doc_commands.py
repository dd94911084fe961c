#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the commands of a page: each block ```sh, by bash -e, in the current folder, which all blocks
share. The block ``` behind it has lines that must be printed, in this order, others between them;
… stands for anything, and `exit status N` for another end than 0. Prints a line `ok NAME`, `not ok
NAME: why` or `skipped NAME: why` for each; names are those of the sections.

run_doc_commands.py PAGE TEST_NAME SECONDS
"""
import os
import re
import subprocess
import sys


def blocks(page):
    """(section, commands, lines expected, exit status expected)"""
    section = ""
    pattern = r"^## (?P<section>[^\n]*)$|^```sh\n(?P<commands>.*?)^```\n(?:```\n(?P<expected>.*?)^```\n)?"
    for match in re.finditer(pattern, page, re.M | re.S):
        if match["section"]:
            section = re.sub(r"\W+", "-", match["section"].lower()).strip("-")
            continue
        expected, status = (match["expected"] or "").splitlines(), 0
        if expected and (end := re.fullmatch(r"exit status (\d+)", expected[-1])):
            expected, status = expected[:-1], int(end[1])
        yield section, match["commands"], expected, status


def missing(printed, expected):
    """The first line expected that is not printed behind the others; None: all are."""
    lines = iter(printed.splitlines())
    for line in expected:
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        if not any(re.search(pattern, other) for other in lines):
            return line
    return None


def main():
    page, test, seconds = sys.argv[1:]
    with open(page) as file:
        text = file.read()
    number = {}
    for section, commands, expected, status in blocks(text):
        number[section] = number.get(section, 0) + 1
        name = f"{test}/{section}/{number[section]}"
        if re.search(r"--mmu (shadow|ept)", commands) and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            print(f"skipped {name}: no /dev/kvm", flush=True)
            continue
        # With all that it has started.
        done = subprocess.run(["timeout", "-s", "KILL", seconds, "bash", "-ec", commands], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        printed = done.stdout.replace("\r", "")
        said = " ".join(printed.splitlines()[-3:])[-400:]
        if done.returncode != status:
            print(f"not ok {name}: exit status {done.returncode}, not {status}: {said}", flush=True)
        elif (line := missing(printed, expected)) is not None:
            print(f"not ok {name}: does not print '{line}': {said}", flush=True)
        else:
            print(f"ok {name}", flush=True)


if __name__ == "__main__":
    main()
