# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that end with this one: by a signal as by an error."""
import contextlib
import os
import signal
import subprocess
import sys
import threading

_lock = threading.Lock()
_children = set()
_ending = False


def _kill(process):
    """Kills the session of a child that has not been waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def child(arguments, **options):
    """subprocess.Popen in a session of its own, which is killed if it still runs when the block is left. Raises OSError, and
    KeyboardInterrupt after end_all()."""
    with _lock:
        if _ending:
            raise KeyboardInterrupt
        process = subprocess.Popen(arguments, start_new_session=True, **options)
        _children.add(process)
    try:
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    _kill(process)
    finally:
        with _lock:
            _children.discard(process)


def end_all():
    """Kills all children, of all threads; no other is started."""
    global _ending
    with _lock:
        _ending = True
        for process in _children:
            # Not one that its thread has waited for, whose number may be another's.
            if process.returncode is None:
                _kill(process)


def run_to_end(main):
    """main() and its status. SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in it, and are ignored from then on; when
    that has left main(), the status is 130."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_):
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        # What nohup ignores stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        return main()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
