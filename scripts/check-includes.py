#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which folder may include which: checks every #include, and draws the picture in docs/structure.md.

check-includes.py            fails on an include that FOLDERS does not allow, on one that FOLDERS
                             allows and nobody makes, on a folder that is not listed, and when the
                             picture is not of this list
check-includes.py --write    writes the picture
"""
import os
import re
import subprocess
import sys
import textwrap

# From the lowest up: a folder may include those that it names, and only folders above it in this
# list, so that no two include each other.
FOLDERS = {
    "translator/base": ("what every part may use: panic(), results, counters, traces, guest RAM", []),
    "translator/softfloat": ("Arm's floating point by integers", []),
    "translator/ir": ("opcodes in one table, builder, verifier", []),
    "translator/ir/passes": ("what is done to a block between translation and emission", ["translator/ir"]),
    "translator/arm32/cpu": ("state of the CPU, CP14 and CP15, exceptions; ports to MMU and machine", ["translator/base"]),
    "translator/arm32/decoder": ("one row an encoding: the Arm manual's bit pattern and name", []),
    "mmu-shadow/walker": ("page-table walks (freestanding C), regimes, what an MMU knows of its guest", ["translator/base", "translator/arm32/cpu"]),
    "kernel-module": ("crosswalk.ko: the same walks in the kernel's fault handler; its ABI", ["mmu-shadow/walker"]),
    "mmu-shadow/base": ("configuration, counters, sizes of entries, sets of pages", ["translator/base"]),
    "mmu-shadow/windows": ("a window as an object, and what is installed in one", ["mmu-shadow/base"]),
    "mmu-shadow/policy": ("hybrid's and --flush's decisions: what happens goes in, orders come out", ["mmu-shadow/base"]),
    "mmu-shadow/spaces": ("address spaces, software TLBs, flush log, code pages, watchpoints", ["translator/base", "mmu-shadow/walker", "mmu-shadow/base", "mmu-shadow/windows", "mmu-shadow/policy"]),
    "mmu-shadow": ("the guest MMU: faults, flushes, what to install and to share", ["translator/base", "mmu-shadow/walker", "mmu-shadow/base", "mmu-shadow/windows", "mmu-shadow/policy", "mmu-shadow/spaces"]),
    "mmu-shadow/backends": ("how windows are made: mmap", ["translator/base", "mmu-shadow/base", "mmu-shadow"]),
    "translator/arm32/helpers": ("what translated code calls for system and vector instructions", ["translator/softfloat", "translator/ir", "translator/arm32/cpu", "mmu-shadow"]),
    "translator/arm32/frontend": ("a function an instruction shape, from fields to IR", ["translator/ir", "translator/arm32/cpu", "translator/arm32/decoder", "translator/arm32/helpers"]),
    "translator/x64": ("one emitter an opcode, register allocation, fault sites", ["translator/base", "translator/ir", "translator/arm32/cpu", "mmu-shadow", "translator/arm32/helpers"]),
    "translator/engine": ("run loop, code cache, links, memory access, faults", ["translator/base", "translator/ir", "translator/arm32/cpu", "mmu-shadow/base", "mmu-shadow/windows", "mmu-shadow", "translator/arm32/helpers", "translator/arm32/frontend", "translator/x64"]),
    "vmm/base": ("files, statistics, the sandbox: of this process, not of a guest", ["translator/base", "kernel-module"]),
    "vmm/net": ("the other end of a network card: libslirp, tap", ["translator/base", "vmm/base"]),
    "vmm/share": ("folders that a guest shares: 9P2000.L, and the files", ["translator/base", "vmm/base"]),
    "vmm/devices": ("GICv2, PL011, PL031, PL061, flash, fw_cfg, virtio", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/net", "vmm/share"]),
    "vmm/machine/io": ("event loops, and the threads that do what is slow", ["translator/base", "vmm/base", "vmm/devices"]),
    "vmm/machine/board": ("the memory map, the bus, the table of devices", ["translator/base", "vmm/net", "vmm/share", "vmm/devices", "vmm/machine/io"]),
    "vmm/machine/loader": ("guest RAM, and what is put there: kernel, initrd, device tree; symbols", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/devices", "vmm/machine/board"]),
    "vmm/machine/cpus": ("CPUs as other threads see them: lines, sleep, power, work for them; PSCI", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/devices"]),
    "vmm/machine/time": ("the system counter, and what happens as time passes", ["translator/arm32/cpu", "vmm/base", "vmm/devices", "vmm/machine/board", "vmm/machine/cpus"]),
    "vmm/machine/semihosting": ("Arm semihosting", ["translator/base", "translator/arm32/cpu", "vmm/devices", "vmm/machine/board", "vmm/machine/cpus", "vmm/machine/time"]),
    "vmm/machine/snapshot": ("a machine in a file, and back", ["translator/base", "translator/arm32/cpu", "vmm/devices", "vmm/machine/board", "vmm/machine/cpus", "vmm/machine/time", "vmm/machine/semihosting"]),
    "vmm/machine/control": ("signals, keys, the control socket, pauses, the guest's state in words", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/devices", "vmm/machine/io", "vmm/machine/loader", "vmm/machine/cpus", "vmm/machine/time"]),
    "vmm/debugger": ("GDB's remote protocol: packets, registers, a session", ["translator/arm32/cpu"]),
    "vmm/machine/debug": ("CPUs that a debugger stops, and the thread that serves its connection", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/debugger", "vmm/machine/io", "vmm/machine/cpus", "vmm/machine/time", "vmm/machine/control"]),
    "vmm/machine": ("connects the parts of the machine; what the engine sees of it", ["translator/base", "translator/arm32/cpu", "vmm/base", "vmm/devices", "vmm/machine/io", "vmm/machine/board", "vmm/machine/loader", "vmm/machine/cpus", "vmm/machine/time", "vmm/machine/semihosting", "vmm/machine/snapshot", "vmm/machine/control", "vmm/machine/debug"]),
    "vmm/world": ("what the worlds have in common", ["translator/engine"]),
    "vmm/world/process": ("the engine in an ordinary thread", ["translator/base", "mmu-shadow/windows", "translator/engine", "vmm/world"]),
    "vmm/world/kvm/ring0": ("what runs at CPL 0 inside the VM, and page tables", []),
    "vmm/world/kvm": ("the engine inside a VM; the shadow and ept backends", ["translator/base", "mmu-shadow", "translator/engine", "vmm/base", "vmm/world", "vmm/world/kvm/ring0"]),
    "vmm/world/kmod": ("windows of the kernel module, for both worlds", ["translator/base", "mmu-shadow/walker", "kernel-module", "mmu-shadow"]),
    "vmm/host": ("what this host can do: the table of modes, the probe that measures them", ["translator/base", "mmu-shadow", "translator/engine", "mmu-shadow/walker", "vmm/world/process", "vmm/world/kvm", "vmm/world/kmod"]),
    "vmm/bench": ("`crosswalk bench`", ["vmm/base"]),
    "vmm/app": ("the command line, run, info, traces", ["translator/base", "translator/arm32/cpu", "mmu-shadow/walker", "mmu-shadow", "translator/engine", "vmm/base", "vmm/net", "vmm/share", "vmm/machine/loader", "vmm/machine/cpus", "vmm/machine/control", "vmm/machine/debug", "vmm/machine", "vmm/world/process", "vmm/world/kvm", "vmm/host", "vmm/bench"]),
    "vmm": ("main", ["vmm/base", "vmm/bench", "vmm/app"]),
}

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PICTURE = "docs/structure.md"
BEGIN, END = "<!-- folders: scripts/check-includes.py --write -->", "<!-- end of folders -->"


def files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--"] +
        ["*.cc", "*.h", "*.c", "*.inc"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [f for f in listed.splitlines()
            if f.split("/")[0] in ("vmm", "translator", "mmu-shadow", "kernel-module")
            and os.path.isfile(os.path.join(ROOT, f))]


def included(folder_of=os.path.dirname):
    """{(folder, folder included): [file:line, …]}"""
    found = {}
    for name in files():
        with open(os.path.join(ROOT, name)) as text:
            for number, line in enumerate(text, 1):
                match = re.match(r'#include "([^"]+)"', line)
                if match and folder_of(match[1]) != folder_of(name):
                    found.setdefault((folder_of(name), folder_of(match[1])), []).append(f"{name}:{number}")
    return found


def problems(folders, found, present):
    order = list(folders)
    for folder, (_, below) in folders.items():
        for other in below:
            if other not in folders:
                yield f"FOLDERS: {folder} names {other}, which is not listed"
            elif order.index(other) > order.index(folder):
                yield f"FOLDERS: {folder} may not include {other}, which stands higher"
            elif (folder, other) not in found:
                yield f"FOLDERS: {folder} includes nothing of {other}; take it out of the list"
    for folder in present:
        if folder not in folders:
            yield f"{folder}: not in FOLDERS"
    for (folder, other), where in sorted(found.items()):
        if folder in folders and other not in folders[folder][1]:
            yield f"{where[0]}: {folder} may not include {other} (docs/structure.md)"


def picture(folders):
    """Highest first: what a folder holds, and what it includes."""
    lines = ["```"]
    for folder, (holds, below) in reversed(folders.items()):
        lines.append(f"{folder:26}{holds}")
        if below:
            lines += textwrap.wrap(", ".join(below), 94, initial_indent="   └▶ ", subsequent_indent="      ",
                                   break_on_hyphens=False)
    return "\n".join(lines + ["```"])


def main():
    path = os.path.join(ROOT, PICTURE)
    with open(path) as text:
        page = text.read()
    before, rest = page.split(BEGIN, 1)
    drawn, after = rest.split(END, 1)
    wanted = f"\n{picture(FOLDERS)}\n"
    if "--write" in sys.argv[1:]:
        with open(path, "w") as text:
            text.write(before + BEGIN + wanted + END + after)
        drawn = wanted
    bad = list(problems(FOLDERS, included(), sorted({os.path.dirname(f) for f in files()})))
    if drawn != wanted:
        bad.append(f"{PICTURE}: the picture is not of this list; run scripts/check-includes.py --write")
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
