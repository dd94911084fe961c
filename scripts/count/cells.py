# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be counted. A cell is one run: an engine (a mode of Crosswalk, QEMU, or native code) and a list of workloads
that one guest, or one process, runs.

An engine is MODE[:POLICY][@WORLD][+OPTION...] of `crosswalk run`, "qemu" (qemu-system-arm) or "native". The workloads are
those of scripts/experiments/workloads.py, and "boot".
"""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../experiments"))
import workloads  # noqa: E402
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

MODES = workloads.CROSSWALK_MODES
BASELINES = ("qemu", "native")
COMPUTE, SYSTEM = workloads.GROUPS["compute"], workloads.GROUPS["system"]
PROGRAMS = ["program_bzip2", "program_sqlite3", "program_python3"]
# Bare-metal images: each is one cell, whose rows are what the guest prints.
BARE = {"bare_mmu": "bench_mmu", "bare_flush": "bench_flush", "bare_flat": "bench_flat",
        "bare_translate": "bench_translate", "bare_code_pages": "bench_code_pages"}
BOOT_ROWS = ("start_to_user_space", "start_to_power_off")
GROUPS = {"compute": COMPUTE, "system": SYSTEM, "program": PROGRAMS, "bare": list(BARE), "boot": ["boot"],
          "chase": workloads.GROUPS["chase"], "stride": workloads.GROUPS["stride"], "storm": workloads.GROUPS["storm"]}
OTHER_PROGRAMS = ["program_gcc"]


def known_workloads():
    return [name for names in GROUPS.values() for name in names] + OTHER_PROGRAMS


def expand(words):
    """Names and groups to names. Raises ValueError for an unknown one."""
    names = []
    for word in words:
        found = GROUPS.get(word) or ([word] if word in known_workloads() else None)
        if found is None:
            raise ValueError(f"unknown workload '{word}'; give names or groups of: {', '.join(GROUPS)}; "
                             f"{', '.join(known_workloads())}")
        names += [name for name in found if name not in names]
    return names


def parse_engine(engine):
    """(mode, policy, world, options); raises ValueError."""
    head, *options = engine.split("+")
    head, _, world = head.partition("@")
    mode, _, policy = head.partition(":")
    if mode not in MODES + BASELINES:
        raise ValueError(f"unknown mode '{mode}' in '{engine}'; give MODE[:POLICY][@WORLD][+OPTION...] with a mode of "
                         f"{', '.join(MODES)}, or {' or '.join(BASELINES)}")
    if policy and policy not in workloads.POLICIES:
        raise ValueError(f"unknown flush policy '{policy}' in '{engine}'; give {', '.join(workloads.POLICIES)}")
    if world and world not in ("process", "kvm"):
        raise ValueError(f"unknown world '{world}' in '{engine}'; give process or kvm")
    if mode in BASELINES and engine != mode:
        raise ValueError(f"'{engine}': {mode} takes no policy, world or option")
    return mode, policy, world, options


def needs_module(engine):
    """Whether the machine loads the kernel module. Where it is loaded, what is left open may choose it."""
    return engine not in BASELINES and (parse_engine(engine)[0] == "kmod" or "windows=kmod" in parse_engine(engine)[3])


def kind_of(workload):
    if workload in BARE:
        return workload
    return "program" if workload in PROGRAMS + OTHER_PROGRAMS else "linux"


def can_run(engine, kind):
    if engine == "native":
        return kind in ("linux", "program")
    if parse_engine(engine)[0] == "flat":
        return kind == "bare_flat"
    return True


def plan(engines, names):
    """Cells, each {engine, kind, workloads}: what shares a guest is one cell."""
    cells = []
    for engine in engines:
        parse_engine(engine)
        kinds = {}
        for name in names:
            kinds.setdefault(kind_of(name), []).append(name)
        for kind, members in kinds.items():
            if not can_run(engine, kind):
                continue
            if kind == "linux":
                members = [name for name in members if name != "boot"]
                if members or engine != "native":
                    # The guest's program wants something to do.
                    cells.append({"engine": engine, "kind": kind, "workloads": members or ["getppid"]})
            elif kind == "program":
                # Each new to its guest.
                cells += [{"engine": engine, "kind": kind, "workloads": [name]} for name in members]
            else:
                cells.append({"engine": engine, "kind": kind, "workloads": members})
    return cells


def files_of(cell, settings):
    """What the emulated machine must hold: (programs, {path in the machine: source})."""
    images, kernel, engine, kind = settings["images"], settings["kernel"], cell["engine"], cell["kind"]
    modules = {"crosswalk.ko": settings["module"]} if needs_module(engine) else {}
    if engine == "native":
        if kind == "program":
            return [], {"guest/programs.tar": f"{images}/programs-native.tar"}
        return [f"{images}/bench/bench-native"], {}
    programs = ["/usr/bin/qemu-system-arm"] if engine == "qemu" else [settings["crosswalk"]]
    if kind in BARE:
        return programs, {"guest/kernel": f"{images}/bare/{BARE[kind]}.bin", **modules}
    files = {"guest/kernel": f"{images}/{kernel}/vmlinuz", **modules}
    if kind == "linux":
        files["guest/initrd"] = f"{images}/initrd-bench.gz"
    else:
        files["guest/initrd"] = f"{images}/initrd-{kernel}.gz"
        files["guest/disk"] = f"{images}/rootfs.ext4"
    return programs, files


def preparation_of(cell):
    """Lines of shell that the machine runs before the command."""
    if needs_module(cell["engine"]):
        return "insmod /crosswalk.ko\n"
    if cell["engine"] != "native" or cell["kind"] != "program":
        return ""
    return ("mkdir /programs\ntar -x -f /guest/programs.tar -C /programs\nmount -t proc proc /programs/proc\n"
            "mount -t devtmpfs dev /programs/dev\nmount -t tmpfs tmpfs /programs/tmp\n")


def command_of(cell, settings):
    """The command that runs a cell, in the machine."""
    engine, kind, names = cell["engine"], cell["kind"], cell["workloads"]
    # The median of the slices after the first one counts, which translates. QEMU takes some ten
    # times as many instructions: so that what a slice begins with weighs as little, its slices are
    # ten times as long.
    milliseconds, slices = (settings["milliseconds"] * 10, 3) if engine == "qemu" else (settings["milliseconds"], 6)
    bench = ["--ms", f"{milliseconds:g}", "--slices", str(slices)] + names
    programs = ["--slices", "1"] + names
    if engine == "native":
        if kind == "program":
            return ["chroot", "/programs", "/experiments/programs"] + programs
        return ["/bin/bench-native"] + bench
    append = ""
    if kind == "linux":
        append = "console=ttyAMA0 quiet norandmaps rdinit=/bench-linux -- " + " ".join(bench)
    elif kind == "program":
        append = "console=ttyAMA0 quiet norandmaps -- run-programs " + " ".join(programs)
    if engine == "qemu":
        line = ["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15", "-m", settings["memory"], "-nographic",
                "-nodefaults", "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot", "-semihosting"]
        if kind == "program":
            line += ["-drive", "if=none,file=/guest/disk,format=raw,readonly=on,id=root", "-device",
                     "virtio-blk-device,drive=root"]
        dash = "-"
    else:
        mode, policy, world, options = parse_engine(engine)
        line = ["crosswalk", "run", "--semihosting", "--mmu", mode, "--memory", settings["memory"], "--stats-json",
                "/tmp/stats.json"]
        line += ["--flush", policy] if policy else []
        line += ["--world", world] if world else []
        line += [f"--{option}" for option in options]
        line += ["--disk", "/guest/disk,readonly"] if kind == "program" else []
        dash = "--"
    line += [dash + "kernel", "/guest/kernel"]
    if kind in ("linux", "program"):
        line += [dash + "initrd", "/guest/initrd", dash + "append", append]
    return line
