#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes an ELF file for a debugger of the symbols in a System.map, or of a guest's /proc/kallsyms: the
text "ADDRESS TYPE NAME" a line; other lines are passed over. It has no code: the debugger reads that
of the guest.

symbols-elf.py MAP OUTPUT    MAP - is standard input
"""
import re
import struct
import sys

FUNCTION, OBJECT, GLOBAL = 2, 1, 1 << 4


def symbols(lines):
    """(address, name, whether it is code); those of modules, which move, are left out"""
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]{8}) ([a-zA-Z]) ([^\s$][^\s]*)\s*", line)
        if match and int(match[1], 16) != 0:
            yield int(match[1], 16), match[3], match[2] in "tTwW"


def elf(found):
    strings, table = bytearray(b"\0"), bytearray(16)
    for address, name, code in found:
        # Section 1: the whole address space from the first symbol on.
        table += struct.pack("<IIIBBH", len(strings), address, 0, GLOBAL | (FUNCTION if code else OBJECT), 0, 1)
        strings += name.encode() + b"\0"
    low = min(address for address, _, _ in found) & ~0xfff
    names = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    at = 52
    sections = [bytes(40), struct.pack("<10I", 1, 8, 6, low, at, 2**32 - 4096 - low, 0, 0, 4, 0)]  # NOBITS
    for name, kind, data, link, entry in ((7, 2, table, 3, 16), (15, 3, strings, 0, 0), (23, 3, names, 0, 0)):
        sections.append(struct.pack("<10I", name, kind, 0, 0, at, len(data), link, 1 if kind == 2 else 0, 4, entry))
        at += len(data)
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 40, 1, low, 0, at, 0x05000000, 52, 0, 0, 40, len(sections), len(sections) - 1)
    return header + table + strings + names + b"".join(sections)


def main():
    source, output = sys.argv[1:]
    with sys.stdin if source == "-" else open(source, errors="replace") as file:
        found = sorted(symbols(file))
    if not found:
        sys.exit(f"symbols-elf.py: {source} has no symbols")
    with open(output, "wb") as file:
        file.write(elf(found))


if __name__ == "__main__":
    main()
