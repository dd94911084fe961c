#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clang-format and line lengths of all sources, and clang-tidy of those given, of all, or of the
lines that changed.

Prints what the tools say, and a line `ok NAME`, `not ok NAME: why` or `skipped NAME: why` for each
tool. Exit status 1 when something is to be mended. clang-tidy takes seconds a file: what passed is
remembered in BUILD/lint by its contents, those of its headers, and the rules.

lint.py [--build BUILD] [--seconds N] (--changed [COMMIT] | --all | FILE...)
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def sources(*patterns):
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns).stdout.splitlines()
    return sorted({name for name in listed if os.path.isfile(os.path.join(ROOT, name))})


class Includes:
    """What each source includes of this project."""

    def __init__(self):
        self.direct_ = {}

    def direct(self, name):
        if name not in self.direct_:
            try:
                with open(os.path.join(ROOT, name)) as file:
                    found = re.findall(r'^\s*#\s*include "([^"]+)"', file.read(), re.M)
            except OSError:
                found = []
            self.direct_[name] = [other for other in found if os.path.isfile(os.path.join(ROOT, other))]
        return self.direct_[name]

    def closure(self, name):
        """`name` and all that it includes, itself or through others."""
        seen, open_ = {name}, [name]
        while open_:
            for other in self.direct(open_.pop()):
                if other not in seen:
                    seen.add(other)
                    open_.append(other)
        return sorted(seen)


def changed(commit, includes):
    """The .cc files to look at for what differs from `commit`, and the lines. A header is seen by
    the file of its name, or else by one that includes it."""
    found = run("git", "diff", "--name-only", "--diff-filter=d", commit)
    if found.returncode != 0:
        raise SystemExit(f"lint.py: {found.stderr.strip()}")
    untracked = run("git", "ls-files", "--others", "--exclude-standard").stdout.splitlines()
    names = [name for name in found.stdout.splitlines() + untracked if name.endswith((".cc", ".h"))]
    every, wanted = sources("*.cc"), set()
    for name in names:
        same = re.sub(r"\.h$", ".cc", name)
        if os.path.isfile(os.path.join(ROOT, same)):
            wanted.add(same)
        else:
            wanted.update([other for other in every if name in includes.direct(other)][:1])
    return sorted(wanted), lines_of(commit, names, untracked)


def lines_of(commit, names, untracked):
    """The lines that differ, as clang-tidy's --line-filter has them."""
    found = []
    for name in names:
        if name in untracked:
            found.append({"name": name})
            continue
        hunks = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", run("git", "diff", "-U0", commit, "--", name).stdout, re.M)
        lines = [[int(first), int(first) + int(count or 1) - 1] for first, count in hunks if count != "0"]
        if lines:
            found.append({"name": name, "lines": lines})
    return found


def check_format():
    done = run("clang-format", "--dry-run", "-Werror", *sources("*.cc", "*.h", "*.c"))
    bad = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: error:", done.stderr, re.M)))
    if done.returncode == 0:
        print("ok lint/format")
        return True
    print(done.stderr[-4000:] if not bad else "", end="")
    print(f"not ok lint/format: {', '.join(bad) or done.stderr[:200]}; run make format")
    return False


def check_lines():
    """Lines of comments and docs have at most 100 characters, but for tables and links in docs and
    what scripts write."""
    comments = {(".cc", ".h", ".c"): re.compile(r"\s*(//|/\*|\* )"), (".py", ".sh", ".mk", "Makefile"): re.compile(r"\s*#"),
                (".md",): re.compile(r"(?!\||.*\]\()")}
    bad = []
    for name in sources("*.cc", "*.h", "*.c", "*.py", "*.sh", "*.mk", "Makefile", "*.md"):
        if name.startswith("docs/results/"):
            continue
        comment = next(pattern for ends, pattern in comments.items() if name.endswith(ends))
        with open(os.path.join(ROOT, name)) as file:
            bad += [f"{name}:{number}" for number, line in enumerate(file, 1) if len(line) > 101 and comment.match(line)]
    print(f"not ok lint/lines: of more than 100 characters: {', '.join(bad)}" if bad else "ok lint/lines")
    return not bad


class Tidy:
    def __init__(self, build, includes, lines):
        self.build, self.includes = build, includes
        self.filter = [f"--line-filter={json.dumps(lines)}"] if lines is not None else []
        self.passed = os.path.join(build, "lint")
        os.makedirs(self.passed, exist_ok=True)
        with open(os.path.join(build, "compile_commands.json")) as file:
            self.flags = {command["file"]: command["arguments"] for command in json.load(file)}
        with open(os.path.join(ROOT, ".clang-tidy")) as file:
            self.rules = run("clang-tidy", "--version").stdout + file.read()

    def mark(self, name):
        digest = hashlib.sha256((self.rules + repr(self.flags.get(name)) + repr(self.filter)).encode())
        for part in self.includes.closure(name):
            with open(os.path.join(ROOT, part), "rb") as file:
                digest.update(part.encode() + b"\0" + file.read())
        return os.path.join(self.passed, digest.hexdigest())

    def check(self, name, deadline):
        """What clang-tidy says; nothing when it is content, None when there is no time."""
        mark = self.mark(name)
        if os.path.exists(mark):
            return ""
        if time.monotonic() >= deadline:
            return None
        done = run("clang-tidy", "--quiet", "-p", self.build, *self.filter, name)
        if done.returncode == 0:
            open(mark, "w").close()
            return ""
        return done.stdout.strip() or done.stderr.strip()


def check_tidy(names, lines, build, seconds, includes):
    tidy, deadline = Tidy(build, includes, lines), time.monotonic() + seconds
    jobs = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        said = dict(zip(names, pool.map(lambda name: tidy.check(name, deadline), names)))
    bad, late = [name for name in names if said[name]], [name for name in names if said[name] is None]
    for name in bad:
        print(said[name])
    if bad:
        print(f"not ok lint/tidy: {', '.join(bad)}")
    elif len(late) < len(names) or not names:
        print("ok lint/tidy")
    if late:
        print(f"skipped lint/tidy-rest: no time for {len(late)} of {len(names)} files; make lint looks at all")
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="where compile_commands.json is (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="look at no other file after this time")
    parser.add_argument("--changed", nargs="?", const="HEAD~1", metavar="COMMIT",
                        help="what differs from COMMIT (default: the commit before the last one)")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    includes, lines = Includes(), None
    if options.all:
        names = sources("*.cc")
    elif options.changed:
        names, lines = changed(options.changed, includes)
    else:
        names = options.files
        for name in names:
            if not os.path.isfile(name):
                parser.error(f"{name}: not a file; give names of sources, or --all")
    good = [check_format(), check_lines(), check_tidy(names, lines, os.path.abspath(options.build), options.seconds, includes)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
