# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of root.sh: logs in on the console, then by ssh; prints a line for each test.

usage: root.py --key FILE --mirror FOLDER [--limit SECONDS]
The environment goes to scripts/boot.sh.
"""
import argparse
import functools
import http.server
import os
import socket
import subprocess
import sys
import threading
import time


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Console:
    """What the guest prints on its console, and what is typed there."""

    def __init__(self, guest):
        self.guest = guest
        self.text = b""

    def wait_for(self, words):
        """Returns what was printed up to `words`."""
        while words not in self.text:
            some = os.read(self.guest.stdout.fileno(), 4096)
            if not some:
                raise AssertionError(f"the guest ended without '{words.decode()}': status {self.guest.wait()}; {self.text[-300:]!r}")
            self.text += some
        before, self.text = self.text.split(words, 1)
        return before.decode(errors="replace")

    def type(self, line):
        self.guest.stdin.write(line.encode() + b"\n")
        self.guest.stdin.flush()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return holder.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--mirror", required=True)
    parser.add_argument("--limit", type=int, default=300)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=options.mirror))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()

    def ssh(command):
        line = ["ssh", "-p", str(port), "-i", options.key, "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "root@127.0.0.1", command]
        return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=options.limit, check=False)

    def report(name, good, why):
        print(f"ok root/{name}" if good else f"not ok root/{name}: {' '.join(why.split())[-300:]}", flush=True)

    environment = dict(os.environ, SSH=str(port), TIMEOUT=str(options.limit))
    start = time.monotonic()
    with subprocess.Popen(["scripts/boot.sh"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as guest:
        console = Console(guest)
        console.wait_for(b"login: ")
        seconds = time.monotonic() - start
        console.type("root")
        console.wait_for(b"Password: ")
        console.type("crosswalk")
        console.wait_for(b":~#")
        print(f"ok root/login ({seconds:.1f} s)", flush=True)
        console.type("systemctl is-system-running --wait; systemctl --failed --no-legend | cat; echo end-$((1 + 1))")
        said = console.wait_for(b"end-2")
        report("systemd", "running" in said.split(), said)
        done = ssh("uname -m; cat /proc/1/comm")
        report("ssh", done.stdout == "armv7l\nsystemd\n", f"status {done.returncode}: {done.stdout}{done.stderr}")
        done = ssh(f"echo 'deb [trusted=yes] http://10.0.2.2:{server.server_address[1]}/ ./' >/etc/apt/sources.list && "
                   "apt-get -q update && apt-get -q -y install tiny && tiny")
        report("apt", done.returncode == 0 and done.stdout.endswith("\ntiny is there\n"), f"status {done.returncode}: {done.stdout}{done.stderr}")
        ssh("systemctl poweroff")
        while os.read(guest.stdout.fileno(), 4096):
            pass
        status = guest.wait(options.limit)
        report("poweroff", status == 0, f"status {status}")


try:
    main()
except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
    sys.exit(f"root: {error}")
