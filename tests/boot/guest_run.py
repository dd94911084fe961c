# SPDX-License-Identifier: GPL-2.0-or-later
"""A started guest, for the system tests that are written in Python."""
import os
import select
import subprocess
import time
import traceback


def case_reporter(group):
    """A decorator: runs the function that follows, and prints `ok GROUP/NAME` or `not ok GROUP/NAME: why`."""

    def case(name):
        def run(function):
            try:
                function()
                print(f"ok {group}/{name}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                why = str(error) or traceback.format_exc().splitlines()[-2].strip()
                print(f"not ok {group}/{name}: {' '.join(why.split())[:400]}", flush=True)

        return run

    return case


class Run:
    """A guest whose output is collected until a word of it is there."""

    def __init__(self, arguments, environment=None, **streams):
        self.out = bytearray()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        self.process = subprocess.Popen(arguments, env={**os.environ, **(environment or {})}, **streams)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read_until(self, word, fd=None, seconds=30):
        """What is searched for is new output alone, from the end of the last word found."""
        fd = self.process.stdout.fileno() if fd is None else fd
        end = time.monotonic() + seconds
        searched = 0
        while self.out.find(word, max(0, searched - len(word))) < 0:
            searched = len(self.out)
            left = end - time.monotonic()
            assert left > 0 and select.select([fd], [], [], left)[0], f"no {word} in {bytes(self.out[-300:])}"
            data = os.read(fd, 65536)
            assert data, f"the end instead of {word}: {bytes(self.out[-300:])}"
            self.out += data

    def end(self, status, limit, since=None):
        """Waits for the end, which must come within the limit and with this status; returns how long it took."""
        since = since or time.monotonic()
        try:
            got = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there after {limit} s") from None
        assert got == status, f"exit status {got}, expected {status}"
        return time.monotonic() - since
