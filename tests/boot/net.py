# SPDX-License-Identifier: GPL-2.0-or-later
"""One case of net.sh: boots Debian with a network and moves files both ways. The last line is how fast.

usage: net.py [--restricted | --tap NAME [--pairs N]] [--limit SECONDS] [--mib N]
The environment goes to scripts/boot.sh. NAME is an interface with the address 10.0.2.2/24. With --pairs the card has to have
so many pairs of queues, and the guest as many CPUs; a file goes by each pair.
"""
import argparse
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

# What the guest does. It ends when the host has closed the connection to port 9.
SCRIPT = """
network {address} >&2 || exit 10
if timeout {wait} wget -q -O /tmp/file http://10.0.2.2:{port}/file; then
  sum=$(sha256sum </tmp/file)
  echo "fetched ${{sum%% *}}"
else
  echo "fetched nothing"
  cp /bin/busybox /tmp/file
  sum=$(sha256sum </tmp/file)
fi
mkdir /tmp/www && mv /tmp/file /tmp/www && httpd -p 80 -h /tmp/www || exit 11
echo "serving ${{sum%% *}}"
nc -l -p 9 >/dev/null
"""


# Before that: all that the guest sends goes by one pair after the other, and the host's answers
# follow it.
PAIRS = """
queues=/sys/class/net/eth0/queues
set -- $queues/rx-* $queues/tx-*
[ $# = {twice} ] || {{ echo "$*"; exit 12; }}
for chosen in $(seq 0 {last}); do
  for pair in $(seq 0 {last}); do echo 0 >$queues/tx-$pair/xps_cpus || exit 13; done
  echo {cpus:x} >$queues/tx-$chosen/xps_cpus || exit 13
  wget -q -O /dev/null http://10.0.2.2:{port}/file || exit 14
done
"""


class Handler(http.server.BaseHTTPRequestHandler):
    content = b""
    seconds = None

    def do_GET(self):
        start = time.monotonic()
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)
        self.wfile.flush()
        Handler.seconds = time.monotonic() - start

    def log_message(self, *_):
        pass


def free_ports(count):
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def wait_for(guest, word):
    """The next word of the guest's line that begins with `word`."""
    for line in guest.stdout:
        if line.startswith(word + " "):
            return line.split()[1]
        sys.stderr.write(line)
    raise AssertionError(f"the guest ended without '{word}': status {guest.wait()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--restricted", action="store_true")
    parser.add_argument("--tap")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--mib", type=int, default=8)
    options = parser.parse_args()
    Handler.content = os.urandom(options.mib << 20)
    server = http.server.ThreadingHTTPServer(("10.0.2.2" if options.tap else "127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if options.tap:
        address, web, end = "10.0.2.15", 80, 9
        net = f"tap,ifname={options.tap}"
    else:
        address, (web, end) = "127.0.0.1", free_ports(2)
        net = f"user,hostfwd=tcp:127.0.0.1:{web}-:80,hostfwd=tcp:127.0.0.1:{end}-10.0.2.15:9"
    if options.restricted:
        net += ",restrict=on"
    script = SCRIPT.format(port=server.server_address[1], wait=3 if options.restricted else 60,
                           address="10.0.2.15/24 10.0.2.2" if options.tap else "")
    environment = dict(os.environ, NET=net, TIMEOUT=str(options.limit))
    if options.pairs:
        address_line, rest = script.strip().split("\n", 1)
        script = address_line + PAIRS.format(port=server.server_address[1], last=options.pairs - 1, twice=2 * options.pairs,
                                             cpus=(1 << options.pairs) - 1) + rest
        environment["STATS"] = "1"
    environment["CMD"] = script
    with subprocess.Popen(["scripts/boot.sh"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
        fetched = wait_for(guest, "fetched")
        expected = "nothing" if options.restricted else hashlib.sha256(Handler.content).hexdigest()
        assert fetched == expected, f"fetched {fetched}, expected {expected}"
        served = wait_for(guest, "serving")
        start = time.monotonic()
        with urllib.request.urlopen(f"http://{address}:{web}/file", timeout=options.limit) as answer:
            content = answer.read()
        seconds = time.monotonic() - start
        assert hashlib.sha256(content).hexdigest() == served, f"{len(content)} bytes that are not the guest's"
        socket.create_connection((address, end), timeout=options.limit).close()
        rest = guest.stdout.read()
        status = guest.wait(options.limit)
        assert status == 0, f"status {status}"
        for pair in range(options.pairs or 0):
            counts = re.search(rf"^network tap .*, pair {pair}\n  packets sent +(\d+)\n  packets received +(\d+)", rest, re.M)
            assert counts, f"no statistics of pair {pair}: {rest[-300:]}"
            # An answer for each two segments, and the segments, which may have 64 KiB.
            assert int(counts[1]) > 20 and int(counts[2]) > 20, f"pair {pair}: {counts[1]} packets sent, {counts[2]} received"
    rate = len(content) / seconds / (1 << 20)
    print((f"in {options.mib / Handler.seconds:.1f} MiB/s, " if Handler.seconds else "") + f"out {rate:.1f} MiB/s")


try:
    main()
except (AssertionError, OSError) as error:
    sys.exit(f"net: {error}")
