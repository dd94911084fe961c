# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of serial.sh. Prints `ok NAME` or `not ok NAME: why`.

usage: serial.py CROSSWALK GUEST-FOLDER SCRATCH-FOLDER
"""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import guest_run

crosswalk, images, scratch = sys.argv[1:]
LIMIT = float(os.environ["LIMIT"])
case = guest_run.case_reporter("serial")
debian = ["--kernel", f"{images}/armmp/vmlinuz", "--initrd", f"{images}/initrd-armmp.gz", "--append", "console=ttyAMA0 quiet"]
hello = ["--kernel", f"{images}/bare/hello.elf", "--semihosting"]


def start(where, *guest):
    return guest_run.Run([crosswalk, "run", "--mmu", "soft", "--timeout", str(LIMIT * 2), "--serial", where, *guest])


def ask_shell(run, fd, text, answer):
    del run.out[:]
    os.write(fd, text.encode() + b"\n")
    run.read_until(answer, fd, LIMIT)


def at_socket():
    @case("unix")
    def _():
        path = f"{scratch}/serial"
        with start(f"unix:{path}", *debian) as run:
            while not os.path.exists(path):
                time.sleep(0.05)
            for number in ("1", "2"):  # the second time it has been left, and output was lost meanwhile
                with socket.socket(socket.AF_UNIX) as line:
                    line.connect(path)
                    if number == "1":
                        run.read_until(b"/ # ", line.fileno(), LIMIT)
                    ask_shell(run, line.fileno(), f"echo an''swer{number}", b"answer" + number.encode())
                    os.write(line.fileno(), b"sleep 1; seq 20000\n")
                time.sleep(1.5)
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(path)
                os.write(line.fileno(), b"\npoweroff -f\n")
                run.end(0, LIMIT)
            assert not os.path.exists(path), "the socket is still there"


def at_pty():
    @case("pty")
    def _():
        with start("pty", *debian) as run:
            run.read_until(b"\n", run.process.stderr.fileno(), LIMIT)
            name = re.search(rb"serial line is at (\S+)", run.out)[1]
            time.sleep(1)  # nobody is there: the guest does not wait
            for number in ("1", "2"):
                line = os.open(name, os.O_RDWR | os.O_NOCTTY)
                if number == "1":
                    run.read_until(b"/ # ", line, LIMIT)
                ask_shell(run, line, f"echo an''swer{number}", b"answer" + number.encode())
                os.close(line)
                time.sleep(0.5)
            line = os.open(name, os.O_RDWR | os.O_NOCTTY)
            os.write(line, b"\npoweroff -f\n")
            run.end(0, LIMIT)
            os.close(line)


threads = [threading.Thread(target=function) for function in (at_socket, at_pty)]
for thread in threads:
    thread.start()


@case("file")
def _():
    path = f"{scratch}/output"
    with start(f"file:{path}", *hello) as run:
        run.end(42, LIMIT)
    with open(path, encoding="utf-8") as file:
        assert file.read() == "hello from bare metal\n"


@case("null")
def _():
    with start("null", *hello) as run:
        run.end(42, LIMIT)
        assert run.process.stdout.read() == b""


@case("second")
def _():
    path, saved = f"{scratch}/second", f"{scratch}/snapshot"
    lines = ["--serial", "stdio", "--serial", f"unix:{path}"]
    shell = {"stdin": subprocess.PIPE}

    def type_line(run, text):
        run.process.stdin.write(text.encode() + b"\n")
        run.process.stdin.flush()

    def both_ways(run, line):
        type_line(run, "exec 3<>/dev/ttyAMA1; stty -F /dev/ttyAMA1 raw -echo; echo from the guest >&3; echo lis''tens")
        run.read_until(b"listens", seconds=LIMIT)
        run.read_until(b"from the guest\n", line.fileno(), LIMIT)
        line.sendall(b"from the host\n")
        type_line(run, "head -n 1 <&3")
        run.read_until(b"from the host", seconds=LIMIT)

    def run_with(*options):
        return guest_run.Run([crosswalk, "run", "--mmu", "soft", "--timeout", str(LIMIT * 2), *options], **shell)

    with run_with(*lines, "--snapshot-file", saved, *debian) as run:
        run.read_until(b"/ # ", seconds=LIMIT)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
            both_ways(run, line)
            del run.out[:]
            run.process.send_signal(signal.SIGUSR2)
            run.read_until(b"snapshot", run.process.stderr.fileno(), LIMIT)
        type_line(run, "poweroff -f")
        run.end(0, LIMIT)
    done = subprocess.run([crosswalk, "run", "--mmu", "soft", "--restore", saved], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "give --serial twice" in done.stderr, done.stderr
    # The other way round: the shell is at the socket now, and standard input is the second line.
    with run_with("--serial", f"unix:{path}", "--serial", "stdio", "--restore", saved) as run:
        with socket.socket(socket.AF_UNIX) as line:
            while not os.path.exists(path):
                time.sleep(0.05)
            line.connect(path)
            line.sendall(b"echo out to the second >&3; read word <&3; echo got $word; poweroff -f\n")
            run.read_until(b"out to the second\n", seconds=LIMIT)
            type_line(run, "in")
            run.read_until(b"got in", line.fileno(), LIMIT)
            run.end(0, LIMIT)


@case("refused")
def _():
    for where, because in (("tcp:1", "use one of"), (f"unix:{scratch}/none/line", "none/line"), (f"file:{scratch}", "cannot write"),
                           (f"unix:{crosswalk}", "is not a socket"), ("unix:/" + "a" * 200, "too long")):
        done = subprocess.run([crosswalk, "run", "--serial", where, *hello], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 2 and because in done.stderr and done.stderr.count("\n") == 1, done.stderr


for thread in threads:
    thread.join()
