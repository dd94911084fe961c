# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of control.sh, which explains them. Prints `ok NAME` or `not ok NAME: why`.

usage: control.py CROSSWALK GUEST-FOLDER SCRATCH-FOLDER
"""
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import traceback

import guest_run

crosswalk, images, scratch = sys.argv[1:]
END_LIMIT = float(os.environ.get("END_LIMIT", "3"))  # 1 s on a machine that has nothing else to do
disk = f"{scratch}/huge.img"
busy = f"{images}/bare/bad_queues.elf"


def command(word, *options):
    options += ("--console", "virtio") if word == "print-virtio" else ()
    return [crosswalk, "run", "--mmu", "soft", "--semihosting", "--kernel", busy, "--append", word, "--disk", disk, *options]


def marker_of(word):
    """What a guest prints when it is at it. Output of two devices mixes: no whole line needs to be there."""
    return b"vvvvvvvv" if word == "print-virtio" else b"ready"


class Run(guest_run.Run):
    """Where `slow` names system calls of the host, those take an hour."""

    def __init__(self, arguments, slow=None, **streams):
        super().__init__(arguments, {"LD_PRELOAD": f"{scratch}/slow.so", "SLOW_CALLS": slow} if slow else None, **streams)

    def end(self, status, limit=None, since=None):
        return super().end(status, limit or END_LIMIT, since)


def signal_ends(word, number):
    def case():
        with Run(command(word)) as run:
            run.read_until(marker_of(word))
            time.sleep(0.3)
            run.process.send_signal(number)
            return run.end(128 + number)

    return case


def timeout_ends(word):
    def case():
        started = time.monotonic()
        with Run(command(word, "--timeout", "1.5"), stdout=subprocess.DEVNULL) as run:
            took = run.end(4, 1.5 + END_LIMIT, started)
            text = run.process.stderr.read().decode()
            assert "the guest's state after" in text and "pc 4001" in text and "stopped after --timeout" in text, text
            return took - 1.5

    return case


def guest_ends(word, status):
    """The guest ends by itself, soon, though it has left much to do."""

    def case():
        with Run(command(word)) as run:
            run.read_until(b"ready")
            return run.end(status)

    return case


def slow_disk(word, status):
    """A system call of the I/O thread does not end. What was printed and the statistics come all the same."""

    def case():
        stats = f"{scratch}/stats.json"
        with Run(command(word, "--stats-json", stats), "pread") as run:
            time.sleep(1.5)
            if status > 128:
                assert run.process.poll() is None, f"ended by itself: {run.process.returncode}"
                run.process.send_signal(status - 128)
            took = run.end(status)
            assert b"ready" in run.process.stdout.read()
            assert json.load(open(stats))["machine"]["device writes"] > 0
            return took

    return case


class Terminal:
    def __init__(self):
        self.master, self.slave = pty.openpty()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)
        os.close(self.slave)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON


def on_terminal(word, slow=None):
    terminal = Terminal()
    return terminal, Run(command(word), slow, stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave)


def key_ends(word, slow=None):
    """Ctrl-A x, and the terminal is as before."""

    def case():
        terminal, run = on_terminal(word, slow)
        with terminal, run:
            if slow:
                time.sleep(1.5)
            else:
                run.read_until(marker_of(word), terminal.master)
                time.sleep(0.3)
            assert terminal.is_raw()
            os.write(terminal.master, b"\x01x")
            started = time.monotonic()
            while run.process.poll() is None and time.monotonic() - started < END_LIMIT:
                if select.select([terminal.master], [], [], 0.01)[0]:
                    os.read(terminal.master, 65536)
            took = run.end(5, 0.1, started)
            assert not terminal.is_raw(), "the terminal is still raw"
            return took

    return case


def other_key_ends():
    """With --escape, Ctrl-A is the guest's."""
    terminal = Terminal()
    with terminal, Run(command("sleep", "--escape", "t"), stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave) as run:
        run.read_until(b"ready", terminal.master)
        time.sleep(0.3)
        os.write(terminal.master, b"\x01x\x14h")
        run.read_until(b"C-t C-t  send C-t", terminal.master)
        assert run.process.poll() is None, "Ctrl-A x has ended it"
        os.write(terminal.master, b"\x14x")
        return run.end(5)


def continued_on_terminal():
    """After a stop, the terminal is raw again, unless another job is in the foreground by then."""
    terminal = Terminal()
    cooked = termios.tcgetattr(terminal.slave)

    def take_terminal():
        os.setsid()
        fcntl.ioctl(terminal.slave, termios.TIOCSCTTY, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTTOU})
        if os.fork() == 0:  # the other job
            for fd in set(range(256)) - {terminal.slave}:
                try:
                    os.close(fd)
                except OSError:
                    pass
            os.setpgid(0, 0)
            signal.sigwait({signal.SIGUSR1})
            os.tcsetpgrp(terminal.slave, os.getpid())
            signal.sigwait({signal.SIGUSR1})
            os._exit(0)

    with terminal, Run(
        command("sleep"), stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave, preexec_fn=take_terminal
    ) as run:
        run.read_until(b"ready", terminal.master)
        assert terminal.is_raw()
        pid = run.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            # The guardian of the terminal is one too.
            other = min(int(child) for child in children.read().split())
        try:
            for foreground in (True, False):
                run.process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, pid, os.WSTOPPED)
                termios.tcsetattr(terminal.slave, termios.TCSANOW, cooked)
                if not foreground:
                    os.kill(other, signal.SIGUSR1)
                    time.sleep(0.5)
                run.process.send_signal(signal.SIGCONT)
                end = time.monotonic() + (END_LIMIT if foreground else 0.5)
                while time.monotonic() < end and not terminal.is_raw():
                    time.sleep(0.02)
                assert terminal.is_raw() == foreground, "in the foreground" if foreground else "in the background"
            run.process.send_signal(signal.SIGTERM)
            run.end(128 + signal.SIGTERM)
        finally:
            os.kill(other, signal.SIGKILL)


def unread_terminal(by_key):
    """Nobody reads the terminal: its buffers are full."""

    def case():
        terminal, run = on_terminal("print")
        with terminal, run:
            run.read_until(b"ready", terminal.master)
            time.sleep(0.7)
            if by_key:
                os.write(terminal.master, b"\x01x")
            else:
                run.process.send_signal(signal.SIGTERM)
            took = run.end(5 if by_key else 128 + signal.SIGTERM)
            assert not terminal.is_raw(), "the terminal is still raw"
            return took

    return case


def state_on_terminal():
    terminal, run = on_terminal("sleep")
    with terminal, run:
        run.read_until(b"ready", terminal.master)
        time.sleep(0.3)
        os.write(terminal.master, b"\x01h")
        run.read_until(b"print the guest's state", terminal.master)
        os.write(terminal.master, b"\x01i")
        run.read_until(b"console bytes in", terminal.master)
        state = run.out[run.out.index(b"crosswalk: the guest's state") :]
        assert b"asleep in WFI" in state and b"(main+0x" in state, state
        assert state.count(b"\n") == state.count(b"\r\n"), state
        assert run.process.poll() is None
        os.write(terminal.master, b"\x01x")
        run.end(5)


def state_by_signal(word, *expected, unexpected="did not answer"):
    def case():
        with Run(command(word), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
            time.sleep(1)
            run.process.send_signal(signal.SIGUSR1)
            run.read_until(b"console bytes in", run.process.stderr.fileno())
            text = run.out.decode()
            for part in ("crosswalk: the guest's state after", "pc 4001", "mode svc", "R00=", "SCTLR=", "--mmu soft", *expected):
                assert part in text, f"'{part}' is not in {text}"
            assert unexpected not in text, text
            run.process.send_signal(signal.SIGTERM)
            run.end(128 + signal.SIGTERM)

    return case


def unread_pipe():
    """stdout and stderr are one pipe, which nobody reads."""
    reader, writer = os.pipe()
    with Run(command("print", "--stats", "--timeout", "1.5"), stdout=writer, stderr=writer) as run:
        took = run.end(4, 1.5 + END_LIMIT)
    os.close(reader)
    os.close(writer)
    return took - 1.5


def stuck_cpu():
    """The CPU itself is in a system call that does not end: it logs to a pipe that nobody reads."""
    reader, writer = os.pipe()
    with Run(command("entropy", "--no-chain", "-d", "exec,cpu"), stderr=writer) as run:
        time.sleep(1.5)
        assert run.process.poll() is None, f"ended by itself: {run.process.returncode}"
        run.process.send_signal(signal.SIGTERM)
        took = run.end(128 + signal.SIGTERM)
    os.close(reader)
    os.close(writer)
    return took


def slow_reader():
    """What the guest printed before the end arrives, though the reader takes its time."""
    stats = f"{scratch}/stats.json"
    with Run(command("print", "--stats-json", stats), pipesize=4096) as run:
        fd = run.process.stdout.fileno()
        run.read_until(b"ready")
        time.sleep(0.5)
        run.process.send_signal(signal.SIGTERM)
        size = len(run.out)
        while data := os.read(fd, 8192):
            size += len(data)
            time.sleep(0.05)
        run.end(128 + signal.SIGTERM)
        printed = json.load(open(stats))["machine"]["console bytes out"]
        assert size == printed and size > 60000, f"{size} of {printed} bytes arrived"


def second_signal():
    """The first lets a slow reader have the output; the second does not wait for it."""
    with Run(command("print"), pipesize=4096) as run:
        fd = run.process.stdout.fileno()
        run.read_until(b"ready")
        time.sleep(0.3)
        run.process.send_signal(signal.SIGTERM)
        for _ in range(5):
            time.sleep(0.15)
            os.read(fd, 4096)
        assert run.process.poll() is None, "the first signal did not wait for the reader"
        run.process.send_signal(signal.SIGINT)
        return run.end(128 + signal.SIGINT)


def same_signals():
    """Signals that come together are one request: the statistics are written."""
    stats = f"{scratch}/stats.json"
    with Run(command("entropy", "--stats-json", stats)) as run:
        run.read_until(b"ready")
        open(stats, "w").close()
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            run.process.send_signal(number)
            time.sleep(0.01)
        status = run.process.wait(END_LIMIT)
        assert status in (128 + signal.SIGTERM, 128 + signal.SIGHUP), status
        assert json.load(open(stats))["machine"]["device writes"] > 0


def console_under_load():
    """A guest that keeps the entropy source busy can still print."""
    with Run(command("entropy-print"), stdin=subprocess.PIPE) as run:
        run.read_until(b"ready")
        run.read_until(b"still here 3", seconds=10)
        run.process.send_signal(signal.SIGTERM)
        run.end(128 + signal.SIGTERM)


def refused():
    with Run(command("read")) as run:
        run.read_until(b"status 1", seconds=10)


def log_item(item, *expected):
    def case():
        arguments = [crosswalk, "run", "--mmu", "soft", "--semihosting", "--kernel", f"{images}/bare/bad_tables.elf", "-d", item]
        log = f"{scratch}/log"
        result = subprocess.run([*arguments, "-D", log], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        assert result.returncode == 0, result
        with open(log) as file:
            text = file.read(2_000_000)
        for part in expected:
            assert part in text, f"'{part}' is not in {text[:300]}"

    return case


everything = ["read", "read-large", "entropy", "print", "print-virtio", "print-host", "input", "sleep"]
cases = {f"SIGTERM-{word}": signal_ends(word, signal.SIGTERM) for word in everything}
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    cases[f"{number.name}-read-large"] = signal_ends("read-large", number)
cases |= {f"timeout-{word}": timeout_ends(word) for word in everything}
cases |= {f"key-{word}": key_ends(word) for word in everything}
cases |= {
    "off-read": guest_ends("read-off", 0),
    "reset-read": guest_ends("read-reset", 42),
    "off-slow-disk": slow_disk("read-off", 0),
    "SIGTERM-slow-disk": slow_disk("read-large", 128 + signal.SIGTERM),
    "SIGTERM-reset-slow-disk": slow_disk("read-reset", 128 + signal.SIGTERM),
    "key-slow-disk": key_ends("read-large", slow="pread"),
    "SIGTERM-unread-terminal": unread_terminal(False),
    "key-unread-terminal": unread_terminal(True),
    "unread-pipe": unread_pipe,
    "stuck-cpu": stuck_cpu,
    "slow-reader": slow_reader,
    "second-signal": second_signal,
    "same-signals": same_signals,
    "console-under-load": console_under_load,
    "request-refused": refused,
    "continued": continued_on_terminal,
    "key-other": other_key_ends,
    "state-terminal": state_on_terminal,
    "state-sleep": state_by_signal("sleep", "asleep in WFI", "(main+0x"),
    "state-entropy": state_by_signal("entropy", "(", "device completions"),
    "state-print": state_by_signal("print"),
    "state-input": state_by_signal("input", "did not answer", "(semihost+0x", unexpected="asleep"),
    "log-in_asm": log_item("in_asm", "IN: \n", "0x40010000:", "ldr "),
    "log-op": log_item("op", "OP:\n"),
    "log-out_asm": log_item("out_asm", "OUT: [size=", "mov "),
    "log-int": log_item(
        "int", "Taking exception 4 [Data Abort] on CPU 0", "...from PC 0x4001", "(read_faults+0x", "...with DFSR 0x",
        "translation fault", "...to PC 0x4001", "mode abt"
    ),
    "log-exec": log_item("exec", "Trace 0: 40010000\n"),
    "log-cpu": log_item("cpu", "R00=", "PSR="),
}
wanted = os.environ.get("CASES", "")
longest = 0.0
for name, case in cases.items():
    if wanted not in name:
        continue
    try:
        took = case() or 0.0
        longest = max(longest, took)
        print(f"ok control/{name}" + (f" ({took:.2f} s)" if took else ""), flush=True)
    except Exception as error:  # pylint: disable=broad-except
        why = str(error) or traceback.format_exc().splitlines()[-2].strip()
        print(f"not ok control/{name}: {' '.join(why.split())[:400]}", flush=True)
print(f"longest end: {longest:.2f} s")
