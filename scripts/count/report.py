# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of counted cells, and the comparison with expected figures."""
import math

import cells  # says where conditions is
import conditions

# What may be worse than expected before it is an error.
TOLERANCE = 0.02
# The same of rows that depend on where the guest's pages lie, which any change of the image or of
# the rows counted before them moves: two runs of one build, with other rows before, differed by
# 5 % in fork_wait and 15 % in page_touch.
LOOSE = {"fork_wait": 0.08, "page_touch": 0.18}
GROUPS = (("compute", cells.COMPUTE), ("system", cells.SYSTEM), ("programs", cells.PROGRAMS))
COUNTERS = (("engine", "window faults"), ("engine", "soft TLB refills"), ("engine", "blocks translated"),
            ("mmu", "walks"), ("mmu", "entries installed, 4K"), ("mmu", "entries removed"), ("mmu", "flushes: all"),
            ("mmu", "flushes: by address, all ASIDs"), ("kvm", "exits"), ("kvm", "exits: system call"))


def number(value):
    """Three significant digits, with k, M or G."""
    for limit, letter in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= limit:
            scaled = value / (limit if letter != " k" else 1e3)
            return f"{scaled:.{max(0, 2 - int(math.log10(scaled)))}f}{letter}"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - int(math.log10(value))) if value >= 1 else 2}f}" if value else "0"


def rows_of(records):
    """{engine: {row: instructions}}, and the names of rows in the order of their first record."""
    table, order = {}, []
    for record in records:
        rows = table.setdefault(record["engine"], {})
        for name, value in record["rows"].items():
            # Each guest boots, that of programs with another initramfs.
            if name in cells.BOOT_ROWS and record.get("kind") == "program":
                continue
            rows.setdefault(name, value)
            if name not in order:
                order.append(name)
    known = [name for group in GROUPS for name in group[1]] + list(cells.BOOT_ROWS)
    return table, [n for n in known if n in order] + [n for n in order if n not in known]


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else 0


def table_of(header, lines):
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return text + ["| " + " | ".join(line) + " |" for line in lines]


def tables(records, about, second=None):
    table, order = rows_of(records)
    engines = list(table)
    if any(len(record["workloads"]) > 1 for record in records):
        # Of a run whose workloads are scaled to a number of instructions, the whole says nothing.
        order = [row for row in order if row != cells.BOOT_ROWS[1]]
    out = [f"Host instructions per operation, counted on nested paging. Guest Linux {about['guest']}, {about['memory']}; machine's Linux "
           f"{about['machine']}.", ""]
    # What an earlier run has counted is not counted again.
    dates = sorted(record["conditions"]["date"] for record in records if "conditions" in record)
    counted = [["cells counted (UTC)", f"{dates[0]} to {dates[-1]}"]] if dates else []
    out += table_of(["run", ""], [list(line) for line in conditions.lines(about["conditions"])] + counted) + [""]
    out += table_of(["operation"] + engines,
                    [[row] + [number(table[e][row]) if row in table[e] else "" for e in engines] for row in order])
    for base in ("qemu", "native"):
        others = [engine for engine in engines if engine != base]
        if base not in table or not others:
            continue
        out += ["", f"Times as many as {base}:" if base == "native" else f"Times fewer than {base}:", ""]
        ratio = (lambda engine, row: table[engine][row] / table[base][row]) if base == "native" else (
            lambda engine, row: table[base][row] / table[engine][row])
        lines = [[row] + [f"{ratio(e, row):.2f}" if row in table[e] else "" for e in others]
                 for row in order if row in table[base]]
        for name, group in GROUPS:
            means = []
            for engine in others:
                shared = [row for row in group if row in table[engine] and row in table[base]]
                means.append(f"**{geometric_mean([ratio(engine, row) for row in shared]):.2f}**" if shared else "")
            if any(means):
                lines.append([f"geometric mean, {name}"] + means)
        out += table_of(["operation"] + others, lines)
    out += split_table(records)
    out += counter_table(records)
    if second is not None:
        out += repeat_table(records, second)
    return "\n".join(out) + "\n"


def split_table(records):
    """Where the instructions of each slice are, in percent."""
    lines = []
    for record in records:
        for name, part in record.get("split", {}).items():
            if part["total"] and record["engine"] not in cells.BASELINES:
                what = f"whole run ({len(record['workloads'])})" if name == "run" else name
                shares = [f"{100 * part[key] / part['total']:.1f}" for key in ("translated", "engine", "kernel", "vm")]
                lines.append([record["engine"], what] + shares)
    if not lines:
        return []
    return ["", "Where they are, in per cent; `vm` is what of them is inside the VM:", ""] + table_of(
        ["mode", "operation", "translated code", "engine", "host kernel", "vm"], lines)


def function_tables(records, count):
    """The functions that take most instructions in each part, in per cent of the part."""
    out = []
    for record in records if count else []:
        for name, functions in record.get("functions", {}).items():
            total = record["split"][name]["total"]
            out += ["", f"{name} in {record['engine']}:", ""]
            out += [f"    {100 * value / total:5.2f} %  {function[:110]}" for function, value in functions[:count]]
    return "\n".join(out) + "\n" if out else ""


def counter_table(records):
    lines = []
    for record in records:
        if record.get("counters"):
            values = [record["counters"].get(group, {}).get(name) for group, name in COUNTERS]
            lines.append([record["engine"], "+".join(record["workloads"])[:40]] +
                         ["" if value is None else f"{value:,}" for value in values])
    if not lines:
        return []
    return ["", "Counters of the runs, boot included:", ""] + table_of(
        ["mode", "run"] + [name for _, name in COUNTERS], lines)


def repeat_table(records, second):
    """The largest difference between two runs, of each row."""
    table, order = rows_of(records)
    other, _ = rows_of(second)
    lines, count = [], 0
    for row in order:
        differences = [(abs(other[engine].get(row, 0) - rows[row]) / rows[row], engine)
                       for engine, rows in table.items() if rows.get(row)]
        count += len(differences)
        if differences:
            lines.append([row, *max(differences)])
    if not lines:
        return []
    worst = max(lines, key=lambda line: line[1])
    out = ["", f"Run twice: the largest difference in {count} figures is {100 * worst[1]:.4f} % ({worst[0]} in {worst[2]}).", ""]
    return out + table_of(["operation", "largest difference, per cent", "in"],
                          [[row, f"{100 * value:.4f}", engine if value else ""] for row, value, engine in lines])


# ---- expected figures ----------------------------------------------------------------------------

def write_expected(path, records, about):
    table, order = rows_of(records)
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Host instructions per operation on nested paging; scripts/count/expected.sh writes this file.\n")
        file.write(f"# guest {about['guest']}\n# machine {about['machine']}\n")
        for engine, rows in table.items():
            for row in order:
                if row in rows:
                    file.write(f"{engine}\t{row}\t{rows[row]:.3f}\n")


def read_expected(path):
    """({(engine, row): value}, {what: version})"""
    expected, versions = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.rstrip("\n").split("\t")
            if line.startswith("# ") and line.split()[1] in ("guest", "machine"):
                versions[line.split()[1]] = line.split(maxsplit=2)[2].strip()
            elif len(words) == 3:
                expected[words[0], words[1]] = float(words[2])
    return expected, versions


def compare_expected(path, records, about):
    """Prints `ok`, `not ok` or `skipped` for each expected row; returns how many are worse than allowed or missing."""
    expected, versions = read_expected(path)
    table, _ = rows_of(records)
    other = [f"{what} {about[what]}, expected {version}" for what, version in versions.items() if about[what] != version]
    if other:
        # Other kernels take other numbers of instructions.
        print(f"skipped counts: the figures are of other kernels ({'; '.join(other)}); scripts/count/expected.sh writes new ones")
        return 0
    worse = 0
    for (engine, row), value in expected.items():
        got = table.get(engine, {}).get(row)
        tolerance = LOOSE.get(row, TOLERANCE)
        name = f"counts/{engine}/{row}"
        if got is None:
            print(f"not ok {name}: not counted")
            worse += 1
        elif got > value * (1 + tolerance):
            print(f"not ok {name}: {number(got)} instructions, expected {number(value)}: {100 * (got / value - 1):.1f} % more")
            worse += 1
        else:
            better = f" ({100 * (1 - got / value):.1f} % fewer)" if got < value * (1 - tolerance) else ""
            print(f"ok {name}{better}")
    return worse
