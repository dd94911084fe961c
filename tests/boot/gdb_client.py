#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What gdb.sh does with tests/guests/smp/debugged.c (spin=1) that a GDB without a user cannot: Ctrl-C, lost
connections, and what is no packet.

gdb_client.py SOCKET OUTPUT SPIN RELEASED    OUTPUT is the file of the guest's console, the others are
                                             addresses: of the function, of the variable that ends it
"""
import socket
import sys
import time

path, output, spin, released = sys.argv[1], sys.argv[2], int(sys.argv[3], 16), int(sys.argv[4], 16)


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(60)
        self.buffer = b""

    def send(self, payload):
        self.socket.sendall(b"$%s#%02x" % (payload, sum(payload) & 255))

    def receive(self):
        """The next packet's payload."""
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start)
            if 0 <= start < end and len(self.buffer) >= end + 3:
                payload, self.buffer = self.buffer[start + 1:end], self.buffer[end + 3:]
                try:
                    self.socket.sendall(b"+")
                except BrokenPipeError:
                    pass  # it was the last one
                return payload
            more = self.socket.recv(4096)
            if not more:
                raise EOFError("the connection was closed")
            self.buffer += more

    def ask(self, payload):
        self.send(payload)
        return self.receive()


def expect(what, got, wanted):
    if not got.startswith(wanted):
        sys.exit(f"{what}: {got!r} instead of {wanted!r}")


first = Connection()
expect("state at the start", first.ask(b"?"), b"T02thread:1;")
expect("breakpoint", first.ask(b"Z0,%x,4" % spin), b"OK")
first.send(b"c")
expect("stop at the breakpoint", first.receive(), b"T05thread:1;")
expect("pc", first.ask(b"pf"), spin.to_bytes(4, "little").hex().encode())
# A step from a breakpoint, with the breakpoint there.
expect("step", first.ask(b"vCont;s:1"), b"T05thread:1;")
expect("pc after the step", first.ask(b"pf"), (spin + 4).to_bytes(4, "little").hex().encode())
# No memory, no such packet, no such register, nonsense.
expect("read of nothing", first.ask(b"m100000000,4"), b"E")
expect("read of nothing by physical address", first.ask(b"m0,4"), b"E")
expect("unknown packet", first.ask(b"bc"), b"")
expect("register 1000", first.ask(b"p3e8"), b"E")
first.socket.sendall(b"$nonsense#00$#00\xff\xfe}}}$$m0,zz#xx-+\x03")
expect("still there", first.ask(b"qAttached"), b"")
first.socket.close()

# The guest has gone on: it is in its loop, and not at the breakpoint.
while b"spinning" not in open(output, "rb").read():
    time.sleep(0.05)
second = Connection()
expect("state after connecting", second.ask(b"?"), b"T02thread:")
second.send(b"vCont;c")
second.socket.sendall(b"\x03")
expect("Ctrl-C", second.receive(), b"T02thread:")
expect("thread", second.ask(b"Hg1"), b"OK")
pc = int.from_bytes(bytes.fromhex(second.ask(b"pf").decode()), "little")
if not spin < pc < spin + 64:
    sys.exit(f"pc {pc:#x} is not in the loop")
# CPU 1 sleeps, and stays so while CPU 0 is stepped.
expect("step in the loop", second.ask(b"vCont;s:1"), b"T05thread:1;")
expect("range step", second.ask(b"vCont;r%x,%x:1" % (pc, pc)), b"T05thread:1;")
expect("release", second.ask(b"M%x,4:01000000" % released), b"OK")
expect("detach", second.ask(b"D"), b"OK")
