# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of snapshot.sh, which explains them. Prints `ok NAME` or `not ok NAME: why`.

usage: snapshot.py CROSSWALK GUEST-FOLDER SCRATCH-FOLDER MODE...
"""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import guest_run

crosswalk, images, scratch, *modes = sys.argv[1:]
LIMIT = float(os.environ["LIMIT"])
control, saved, debugger = f"unix:{scratch}/control", f"{scratch}/snapshot", f"{scratch}/gdb"
PROMPT = b"/ # "
debian = ["--kernel", f"{images}/armmp/vmlinuz", "--initrd", f"{images}/initrd-armmp.gz", "--append", "console=ttyAMA0 quiet"]
case = guest_run.case_reporter("snapshot")
sleeper = ["--semihosting", "--kernel", f"{images}/bare/bad_queues.elf", "--append", "sleep", "--mmu", "soft"]


class Guest(guest_run.Run):
    """A run with an open standard input."""

    def __init__(self, *options):
        super().__init__([crosswalk, "run", "--timeout", str(LIMIT * 2), *options], stdin=subprocess.PIPE)

    def type(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, text):
        """The last line that the shell prints for the command."""
        del self.out[:]
        self.type(text + "; echo do''ne")
        self.read_until(b"done\r\n", seconds=LIMIT)
        lines = bytes(self.out).split(b"\r\n")
        return lines[lines.index(b"done") - 1].decode()

    def wait_for(self, word):
        self.read_until(word, seconds=LIMIT)

    def ends(self, status):
        self.end(status, LIMIT)


def execute(name, **arguments):
    done = subprocess.run([crosswalk, "control", "--control", control, "--execute", name, "--arguments", json.dumps(arguments)],
                          capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*options, because):
    done = subprocess.run([crosswalk, "run", *options], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and because in done.stderr and done.stderr.count("\n") == 1, f"{done.returncode} {done.stderr}"


class Debugger:
    """A connection to --gdb, which stops the guest."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(debugger)
        assert self.ask(b"?").startswith(b"T02")
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload):
        self.socket.sendall(b"$%s#%02x" % (payload, sum(payload) & 255))

    def receive(self):
        packet = b""
        while b"$" not in packet or packet[-3:-2] != b"#":
            byte = self.socket.recv(1)
            assert byte, "the debugger's connection was closed"
            packet += byte
        try:
            self.socket.sendall(b"+")
        except BrokenPipeError:
            pass  # it was the last one
        return packet[packet.index(b"$") + 1:-3]

    def ask(self, payload):
        self.send(payload)
        return self.receive()


def status():
    return json.loads(execute("query-status"))["status"]


with Guest(*debian, "--mmu", "soft", "--smp", "2", "--control", control, "--gdb", f"unix:{debugger}") as guest:

    @case("status")
    def _():
        guest.wait_for(PROMPT)
        assert json.loads(execute("query-status")) == {"running": True, "status": "running"}
        assert "CPU 1: pc" in execute("query-state")
        assert json.loads(execute("query-stats"))["run"]["mmu"] == "soft"

    @case("pause")
    def _():
        uptime = "cut -d' ' -f1 /proc/uptime"
        seconds, wall = float(guest.ask(uptime)), time.monotonic()
        execute("stop")
        assert not json.loads(execute("query-status"))["running"]
        assert "between" not in execute("query-state")
        guest.type("")  # answered when it goes on
        time.sleep(3)
        execute("cont")
        passed = float(guest.ask(uptime)) - seconds
        assert passed < time.monotonic() - wall - 2.5, f"{passed} s passed for the guest"

    @case("debugger-and-pause")
    def _():
        with Debugger() as gdb:
            assert json.loads(execute("query-status")) == {"running": False, "status": "debug"}
            assert json.loads(execute("query-stats"))["run"]["mmu"] == "soft"
            assert "stopped by the debugger" in execute("query-state")
            execute("stop")
            assert status() == "paused"
            assert gdb.ask(b"Hg2") == b"OK" and len(gdb.ask(b"pf")) == 8
            assert gdb.ask(b"D") == b"OK"
            assert status() == "paused"
        execute("cont")
        assert status() == "running" and guest.ask("nproc") == "2"

    @case("pause-and-debugger")
    def _():
        uptime = "cut -d' ' -f1 /proc/uptime"
        seconds, wall = float(guest.ask(uptime)), time.monotonic()
        execute("stop")
        with Debugger() as gdb:
            assert status() == "paused"
            assert gdb.ask(b"Hg2") == b"OK" and len(gdb.ask(b"pf")) == 8
            gdb.send(b"vCont;c")
            time.sleep(1)
            gdb.socket.sendall(b"\x03")
            assert gdb.receive().startswith(b"T02")
            execute("cont")
            assert status() == "debug"
            time.sleep(1)
        passed = float(guest.ask(uptime)) - seconds
        assert passed < time.monotonic() - wall - 1.5, f"{passed} s passed for the guest"
        assert status() == "running" and guest.ask("nproc") == "2"

    @case("break")
    def _():
        guest.ask("echo 1 >/proc/sys/kernel/sysrq")
        execute("send-break")
        guest.process.stdin.write(b"h")
        guest.process.stdin.flush()
        guest.wait_for(b"sysrq: HELP")

    @case("protocol")
    def _():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(control[5:])
            lines = connection.makefile("rw")
            assert "QMP" in json.loads(lines.readline())
            lines.write('{"execute": "qmp_capabilities"}\nnonsense\n{"execute": "query-status", "id": 3}\n')
            lines.flush()
            assert json.loads(lines.readline()) == {"return": {}}
            assert "error" in json.loads(lines.readline())
            assert json.loads(lines.readline())["id"] == 3

    @case("save")
    def _():
        guest.ask("x=marker; echo content >/tmp/file")
        done = subprocess.run([crosswalk, "snapshot", "--control", control, "--output", saved, "--quit"],
                              capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0 and os.path.getsize(saved) > 1 << 20, done.stderr
        guest.ends(5)
        assert not os.path.exists(control[5:]), "the socket is still there"


def restore(mode):
    @case(f"restore-{mode}")
    def _():
        with Guest("--restore", saved, "--mmu", *mode.replace("+", " --").split()) as again:
            # The shell's prompt was printed before.
            assert again.ask('echo "$x $(cat /tmp/file) $(nproc)"') == "marker content 2"
            again.type("poweroff -f")
            again.ends(0)


def two_at_a_time(function, values):
    values = list(values)

    def work():
        while values:
            try:
                value = values.pop()
            except IndexError:
                return
            function(value)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


two_at_a_time(restore, modes)


@case("refused")
def _():
    with open(saved, "rb") as file:
        whole = file.read()
    bad = f"{scratch}/bad"
    for content, because in ((whole[:len(whole) // 2], "cut short"), (b"rubbish", "not a snapshot"),
                             (whole[:8] + b"\x63" + whole[9:], "format 99"),
                             (whole[:len(whole) // 2] + b"\0" * 64 + whole[len(whole) // 2 + 64:], "damaged")):
        with open(bad, "wb") as file:
            file.write(content)
        refused("--restore", bad, "--mmu", "soft", because=because)
    refused("--restore", saved, "--smp", "1", because="--smp 2")
    refused("--restore", saved, "--memory", "64M", because="--memory 1024M")
    refused("--restore", saved, "--disk", saved + ",format=raw", because="a disk")
    refused("--restore", saved, "--kernel", saved, because="--kernel out")
    refused("--restore", saved, "--reboot", because="--reboot out")
    refused("--restore", f"{scratch}/none", because="none")


@case("timeout-while-paused")
def _():
    with guest_run.Run([crosswalk, "run", "--kernel", f"{images}/bare/bad_hang.bin", "--mmu", "soft", "--control", control, "--wait",
                        "--timeout", "2"]) as waiting:
        waiting.end(4, LIMIT)


@case("wait")
def _():
    with Guest("--semihosting", "--kernel", f"{images}/bare/hello.elf", "--mmu", "soft", "--control", control, "--wait") as waiting:
        while not os.path.exists(control[5:]):
            time.sleep(0.05)
        time.sleep(0.5)
        assert json.loads(execute("query-status"))["status"] == "paused"
        assert "pc 40010000" in execute("query-state"), execute("query-state")
        execute("cont")
        waiting.ends(42)


@case("disk")
def _():
    disk, file = f"{scratch}/disk.img", f"{scratch}/of-sleeper"
    with open(disk, "wb") as image:
        image.truncate(1 << 20)
    with Guest(*sleeper, "--disk", disk, "--snapshot-file", file) as sleeping:
        sleeping.wait_for(b"ready")
        sleeping.process.send_signal(signal.SIGUSR2)
        sleeping.read_until(b"crosswalk: snapshot in", sleeping.process.stderr.fileno(), LIMIT)
    with Guest("--restore", file, "--disk", disk, "--semihosting", "--mmu", "soft") as sleeping:
        time.sleep(0.5)
        sleeping.process.send_signal(signal.SIGTERM)
        sleeping.ends(128 + signal.SIGTERM)
    os.utime(disk)
    refused("--restore", file, "--disk", disk, "--mmu", "soft", because="written to after the snapshot")


def reboot(mode):
    @case(f"reboot-{mode}")
    def _():
        with Guest(*debian, "--mmu", *mode.replace("+", " --").split(), "--smp", "2", "--reboot") as rebooting:
            rebooting.wait_for(PROMPT)
            rebooting.type("reboot -f")
            del rebooting.out[:]
            rebooting.wait_for(b"Restarting system")
            rebooting.wait_for(PROMPT)
            assert rebooting.ask("nproc") == "2"
            rebooting.type("poweroff -f")
            rebooting.ends(0)


two_at_a_time(reboot, [mode for mode in ("hybrid", "shadow") if mode in modes])
