# SPDX-License-Identifier: GPL-2.0-or-later
"""The workloads and engines that an experiment can name, and the command that runs one of them in one engine.

An engine is a column of the report: "MODE" or "MODE/POLICY" of Crosswalk, "qemu", "native", or "icount": QEMU with one
nanosecond of guest time per instruction, so that its rows are instructions, not nanoseconds; "qemu-user": QEMU's user-mode
emulation, which has no MMU to emulate.
"""
import os
import shutil
import subprocess

GROUPS = {
    "compute": ["integer_alu", "crc32_bitwise", "qsort_ints", "matmul_float", "matmul_simd", "double_arithmetic",
                "interpreter", "recursive_calls", "pointer_calls", "pointer_chase_1m", "pointer_chase_64m", "memcpy_kib",
                "sha256_block", "string_functions", "memcpy_unaligned_kib", "simd_shifts", "simd_filter",
                "mutex_atomics", "jit_mixed"],
    "system": ["getppid", "page_touch", "mprotect_pair", "fork_wait", "fork_cow_512", "pipe_round_trip",
               "fork_exec_wait", "exec_pie_aslr", "two_phases"],
    "chase": ["chase_64k", "chase_256k", "chase_1m", "chase_4m", "chase_16m", "chase_64m"],
    "stride": ["stride_line_16m", "stride_page_16m"],
    "storm": ["fork_storm", "switch_pipe_8", "switch_threads_4", "switch_futex_4", "mmap_churn"],
    "program": ["program_bzip2", "program_sqlite3", "program_python3", "program_gcc", "openssl_sha256_8k",
                "openssl_aes128_8k", "openssl_rsa2048_sign"],
    "bare": ["bare_flush", "bare_mmu"],
    "flat": ["bare_flat"],
}
BARE_IMAGES = {"bare_flush": "bench_flush", "bare_mmu": "bench_mmu", "bare_flat": "bench_flat"}
# Nothing but a boot: what the statistics of the others are compared with.
BOOT, BOOT_PROGRAMS = "boot", "boot_programs"
BOOT_ROW = "start_to_user_space"
# NAME@setup is a workload's preparation and checks with next to no operations: what its counts are
# compared with.
SETUP = "@setup"
# What a guest says that waits for its words.
WAITING = b"bench: waiting"
FIRST_OUTPUT = "crosswalk: first user-space output"

# Crosswalk's modes, from their table, and the others that can be named like one.
def listed_modes(*options):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../modes.sh")
    return tuple(subprocess.run([script, *options], check=True, capture_output=True, text=True).stdout.split())


CROSSWALK_MODES = listed_modes()
PROVIDERS = listed_modes("--providers")
MODES = CROSSWALK_MODES + ("auto", "qemu", "qemu-user", "native", "icount")
POLICY_MODES = PROVIDERS
POLICIES = ("lazy", "eager", "auto")


def setup_of(workload):
    return workload + SETUP if kind_of(workload) == "linux" and workload != BOOT else None


def is_bare(engine, workload):
    """The chases without an MMU are a bare-metal program of their own."""
    return kind_of(workload) == "bare" or engine == "flat"


def group_of(workload):
    if workload.endswith(SETUP):
        return "setup"
    for group, names in GROUPS.items():
        if workload in names:
            return group
    return "boot" if workload in (BOOT, BOOT_PROGRAMS) else "other"


def kind_of(workload):
    """linux: bench-linux under Debian's kernel; program: in the root image; bare: a bare-metal image."""
    group = group_of(workload.removesuffix(SETUP))
    if group in ("bare", "flat"):
        return "bare"
    return "program" if group == "program" or workload == BOOT_PROGRAMS else "linux"


def boot_of(workload):
    return {"linux": BOOT, "program": BOOT_PROGRAMS, "bare": None}[kind_of(workload)]


def expand(words):
    """Names and groups to names; raises ValueError for an unknown one."""
    names = []
    for word in words:
        if word == "all":
            found = [name for group in GROUPS.values() for name in group]
        else:
            found = GROUPS.get(word) or ([word] if group_of(word) != "other" else None)
        if found is None:
            groups = "; ".join(f"{group}: {' '.join(members)}" for group, members in GROUPS.items())
            raise ValueError(f"unknown workload '{word}'; give all, a group or names: {groups}")
        names += [name for name in found if name not in names]
    return names


def can_run(engine, workload):
    kind, group = kind_of(workload), group_of(workload)
    if engine in ("native", "qemu-user"):
        return kind == "linux" and workload != BOOT
    if engine == "icount":
        return kind != "bare"
    if engine == "flat":
        return group in ("flat", "chase")
    return True


def needs_program(engine):
    return {"qemu": "qemu-system-arm", "icount": "qemu-system-arm", "qemu-user": "qemu-arm"}.get(engine)


def has_statistics(engine):
    return engine not in ("qemu", "icount", "native", "qemu-user")


def missing_program(engine):
    program = needs_program(engine)
    return program if program and not shutil.which(program) else None


def image_files(images, kernel, engine, workload):
    """The files that a workload's guest is made of."""
    kind = kind_of(workload)
    if is_bare(engine, workload):
        return [f"{images}/bare/{BARE_IMAGES.get(workload, 'bench_chase')}.bin"]
    files = [f"{images}/{kernel}/vmlinuz"]
    if kind == "linux":
        return files + [f"{images}/initrd-bench.gz", f"{images}/bench/bench-native"]
    return files + [f"{images}/initrd-{kernel}.gz", f"{images}/rootfs.ext4"]


def restores(cell, settings):
    """Whether a guest that has booted before goes on as this cell's."""
    engine, workload = cell["engine"], cell["workload"]
    return bool(settings.get("restore")) and has_statistics(engine) and workload != BOOT and \
        kind_of(workload) == "linux" and not is_bare(engine, workload)


def words(cell, settings):
    """What bench-linux is to do, in words of its command line."""
    workload = cell["workload"]
    milliseconds = "0.001" if workload.endswith(SETUP) else str(settings["milliseconds"])
    return ["--list"] if workload == BOOT else ["--ms", milliseconds, "--totals", workload.removesuffix(SETUP)]


def command(cell, settings, crosswalk, images, stats_file):
    """The arguments of the process that runs a cell. stats_file is where Crosswalk leaves its statistics. A guest that is
    restored gets its words as a line of input."""
    engine, workload = cell["engine"], cell["workload"]
    kind, kernel, memory = kind_of(workload), settings["kernel"], settings["memory"]
    bench = words(cell, settings)
    if engine == "native":
        return [f"{images}/bench/bench-native"] + bench
    if engine == "qemu-user":
        return ["qemu-arm", "-cpu", "cortex-a15", f"{images}/bench/bench-linux"] + bench
    arguments = {"kernel": "", "initrd": "", "append": ""}
    if is_bare(engine, workload):
        arguments["kernel"] = f"{images}/bare/{BARE_IMAGES.get(workload, 'bench_chase')}.bin"
        if workload not in BARE_IMAGES:
            arguments["append"] = workload
    else:
        arguments["kernel"] = f"{images}/{kernel}/vmlinuz"
        if kind == "linux":
            arguments["initrd"] = f"{images}/initrd-bench.gz"
            arguments["append"] = "console=ttyAMA0 quiet rdinit=/bench-linux -- " + " ".join(bench)
        else:
            arguments["initrd"] = f"{images}/initrd-{kernel}.gz"
            program = "nothing" if workload == BOOT_PROGRAMS else workload
            arguments["append"] = f"console=ttyAMA0 quiet -- run-programs {program}"
    rootfs = f"{images}/rootfs.ext4"
    if engine in ("qemu", "icount"):
        line = ["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15", "-m", memory, "-nographic", "-nodefaults",
                "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot", "-semihosting"]
        if engine == "icount":
            line += ["-icount", "shift=0,sleep=off"]
        if kind == "program":
            line += ["-drive", f"if=none,file={rootfs},format=raw,readonly=on,id=root", "-device",
                     "virtio-blk-device,drive=root"]
        dash = "-"
    else:
        mode, _, policy = engine.partition("/")
        line = [crosswalk, "run", "--semihosting", "--mmu", mode, "--stats-json", stats_file]
        if policy:
            line += ["--flush", policy]
        if restores(cell, settings):
            return line + ["--restore", settings["snapshot"]]
        line += ["--memory", memory]
        if kind == "program":
            line += ["--disk", f"{rootfs},readonly"]
        dash = "--"
    # -icount runs the CPUs one after the other: what is counted is the work of one.
    if settings.get("smp", 1) != 1 and engine != "icount":
        line += [dash + "smp", str(settings["smp"])]
    for name, value in arguments.items():
        if value:
            line += [dash + name, value]
    return line


def parse_output(lines):
    """(seconds, text) pairs to rows {name: ns}, totals {name: operations}, the time of the first user-space output, what
    went wrong according to the guest, and whether it came to its end."""
    rows, totals, first, problem, ended = {}, {}, None, None, False
    for seconds, text in lines:
        if text == FIRST_OUTPUT and first is None:
            first = seconds
        elif text.startswith("bench: end"):
            ended = text == "bench: end 0"
        elif text.startswith("bench: ") and text not in ("bench: begin", WAITING.decode()):
            problem = text[len("bench: "):]
        elif text.startswith("total "):
            name, _, count = text[len("total "):].rpartition(" ")
            if count.isdigit():
                totals[name] = int(count)
        elif "\t" in text:
            name, _, value = text.partition("\t")
            try:
                number = float(value)
            except ValueError:
                continue
            if number > 0:
                rows[name] = number
    return rows, totals, first, problem, ended


def knows_flush(crosswalk):
    """Whether this binary's `run` has --flush, by its own --help."""
    try:
        done = subprocess.run([crosswalk, "run", "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                              check=False)
    except OSError as error:
        raise SystemExit(f"run.py: cannot run {crosswalk}: {error.strerror}; build it with 'make', or name it with --crosswalk")
    return b"--flush" in done.stdout


def engines_of(modes, policies, flush_known):
    """Modes times policies. A mode may fix its policy: "shadow:lazy". Without --flush the axis falls away."""
    engines = []
    for mode in modes:
        name, colon, policy = mode.partition(":")
        if name not in MODES:
            raise ValueError(f"unknown mode '{name}'; give some of {', '.join(MODES)}")
        if colon and policy not in POLICIES:
            raise ValueError(f"unknown flush policy '{policy}' in '{mode}'; give lazy, eager or auto")
        if not flush_known:
            found = [name]
        elif colon:
            found = [f"{name}/{policy}"]
        elif name in POLICY_MODES and policies:
            found = [f"{name}/{policy}" for policy in policies]
        else:
            found = [name]
        engines += [engine for engine in found if engine not in engines]
    return engines


def check_images(cells, settings, images):
    """The first guest image that is missing, with what makes it; or nothing."""
    for engine, workload in dict.fromkeys((cell["engine"], cell["workload"]) for cell in cells):
        for path in image_files(images, settings["kernel"], engine, workload):
            if not os.path.isfile(path):
                return f"no guest image {path}; run 'make {'rootfs' if path.endswith('rootfs.ext4') else 'guest'}', or name their folder with --images"
    return None
