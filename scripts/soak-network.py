#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic both ways for a long time, while memory and file descriptors of Crosswalk are watched.

A Debian guest fetches a file from the host and serves one to it, again and again over new connections of --net user; each
copy is compared. The run fails if a copy differs, if a connection fails, or if the process grows: the median of its
anonymous memory (RssAnon: without guest RAM, where that is a file), or the least number of descriptors, in the last quarter
of the run against the second one. It prints a line a minute and a summary.

usage: soak-network.py [--seconds N] [--rate MIB] [--growth MIB] [-- OPTIONS OF crosswalk run]
Environment: CROSSWALK (build/crosswalk), GUEST (build/guest).
"""
import argparse
import hashlib
import http.server
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

FILE_BYTES = 4 << 20
EXTRA_DESCRIPTORS = 2  # connections that a sample happens to see

# Ends when the host has no more file to give.
SCRIPT = """
mkdir /tmp/www && head -c {bytes} /dev/urandom >/tmp/www/file || exit 10
sum=$(sha256sum </tmp/www/file)
httpd -p 80 -h /tmp/www || exit 11
echo "serving ${{sum%% *}}"
while wget -q -O /tmp/file http://10.0.2.2:{port}/file; do
  sum=$(sha256sum </tmp/file)
  [ "${{sum%% *}}" = {sum} ] || {{ echo "differs: ${{sum%% *}}"; exit 12; }}
  echo fetched
done
echo ended
"""


class Server(http.server.ThreadingHTTPServer):
    """Gives the script and, until `ended`, the file, at most at the rate."""

    def __init__(self, rate):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = os.urandom(FILE_BYTES)
        self.seconds = FILE_BYTES / rate
        self.ended = threading.Event()
        self.script = SCRIPT.format(bytes=FILE_BYTES, port=self.server_port, sum=hashlib.sha256(self.content).hexdigest()).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.script if self.path == "/script" else self.server.content
        if self.path == "/file" and self.server.ended.wait(self.server.seconds):
            self.send_error(410)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Failure(Exception):
    pass


class Fetcher(threading.Thread):
    """Fetches what the guest serves, at most at the rate."""

    def __init__(self, port, sum_of_file, server):
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/file"
        self.sum, self.server = sum_of_file, server
        self.files, self.failure = 0, None

    def run(self):
        while not self.server.ended.wait(self.server.seconds):
            try:
                with urllib.request.urlopen(self.url, timeout=120) as answer:
                    content = answer.read()
            except OSError as error:
                self.failure = f"cannot fetch from the guest: {error}"
                return
            if hashlib.sha256(content).hexdigest() != self.sum:
                self.failure = f"{len(content)} bytes from the guest differ"
                return
            self.files += 1


class Watch:
    """Samples of a process."""

    def __init__(self, pid):
        self.pid, self.start, self.samples = pid, time.monotonic(), []

    def sample(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            words = dict(line.split(":", 1) for line in status)
        memory = int(words["RssAnon"].split()[0]) / 1024
        self.samples.append((time.monotonic() - self.start, memory, len(os.listdir(f"/proc/{self.pid}/fd"))))
        return self.samples[-1]

    def quarter(self, number):
        """Memory in MiB and descriptors of the first (0) to the last (3) quarter of the time."""
        length = self.samples[-1][0] / 4
        within = [s for s in self.samples if number * length <= s[0] <= (number + 1) * length]
        return statistics.median(s[1] for s in within), min(s[2] for s in within)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return holder.getsockname()[1]


def read_guest(guest, lines):
    for line in guest.stdout:
        lines.append(line.strip())


def wait_for_serving(guest, lines, seconds):
    """The sum of what the guest serves."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and guest.poll() is None:
        for line in list(lines):
            if line.startswith("serving "):
                return line.split()[1]
        time.sleep(0.2)
    raise Failure(f"the guest does not serve: {lines[-5:]}")


def soak(options, guest, server, port, lines):
    fetcher = Fetcher(port, wait_for_serving(guest, lines, 300), server)
    fetcher.start()
    watch = Watch(guest.pid)
    next_line = 0.0
    while watch.sample()[0] < options.seconds:
        seconds, memory, descriptors = watch.samples[-1]
        fetched = lines.count("fetched")
        if seconds >= next_line:
            print(f"soak: {seconds:6.0f} s  {fetched} files in, {fetcher.files} out  {memory:.1f} MiB  {descriptors} descriptors", flush=True)
            next_line += 60
        if fetcher.failure or guest.poll() is not None:
            raise Failure(fetcher.failure or f"the guest ended: {lines[-3:]}")
        time.sleep(1)
    server.ended.set()
    fetcher.join(120)
    if fetcher.failure:
        raise Failure(fetcher.failure)
    status = guest.wait(120)
    if status != 0 or lines[-1:] != ["ended"]:
        raise Failure(f"the guest ended with status {status}: {lines[-3:]}")
    fetched = lines.count("fetched")
    (memory, descriptors), (memory_then, descriptors_then) = watch.quarter(3), watch.quarter(1)
    print(f"soak: {options.seconds} s, {fetched * FILE_BYTES / 2**30:.2f} GiB in {fetched} connections to the host, "
          f"{fetcher.files * FILE_BYTES / 2**30:.2f} GiB in {fetcher.files} to the guest; anonymous memory {memory_then:.1f} MiB in "
          f"the second quarter, {memory:.1f} MiB in the last; descriptors {descriptors_then}, then {descriptors}")
    if memory - memory_then > options.growth:
        raise Failure(f"anonymous memory grew by {memory - memory_then:.1f} MiB")
    if descriptors > descriptors_then + EXTRA_DESCRIPTORS:
        raise Failure(f"{descriptors - descriptors_then} more descriptors are open")


def main():
    parser = argparse.ArgumentParser(description="Traffic both ways for a long time; fails if Crosswalk grows.")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=2, help="MiB/s each way, at most")
    parser.add_argument("--growth", type=float, default=4, help="MiB that memory may grow")
    parser.add_argument("run", nargs="*", help="options of crosswalk run")
    options = parser.parse_args()
    crosswalk, images = os.environ.get("CROSSWALK", "build/crosswalk"), os.environ.get("GUEST", "build/guest")
    server, port = Server(options.rate * 2**20), free_port()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = f"network >&2 && wget -q -O /tmp/script http://10.0.2.2:{server.server_port}/script && sh /tmp/script"
    arguments = [crosswalk, "run", "--memory", "256M", "--kernel", f"{images}/armmp/vmlinuz", "--initrd", f"{images}/net/initrd-armmp.gz",
                 "--net", f"user,hostfwd=tcp:127.0.0.1:{port}-:80",
                 "--append", f"console=ttyAMA0 loglevel=1 crosswalk_quiet=1 -- {command}", *options.run]
    lines = []
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as guest:
        threading.Thread(target=read_guest, args=(guest, lines), daemon=True).start()
        try:
            soak(options, guest, server, port, lines)
        finally:
            if guest.poll() is None:
                guest.kill()


try:
    main()
except (Failure, subprocess.TimeoutExpired) as failure:
    sys.exit(f"soak: {failure}")
