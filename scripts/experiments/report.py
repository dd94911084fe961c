# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a run: report.md, a self-contained report.html with plots, and the CSV files."""
import math
import os

import conditions  # counters says where it is
import counters
import model as model_module
import plots
import tidy
import workloads
from document import NA, Document

TITLES = {"compute": "Compute", "system": "System calls, faults and processes", "chase": "Pointer chases",
          "stride": "Strides", "storm": "Storms of forks, switches and mappings", "program": "Debian programs",
          "bare": "Bare metal", "flat": "Without translation", "boot": "Boot"}
ENGINES = {
    "soft-call": "a software TLB that translated code calls for each access", "soft": "a software TLB, looked up in translated code",
    "mmap": "windows made with mmap(2)", "kmod": "windows filled by the kernel module", "shadow": "windows as page tables inside a VM",
    "ept": "windows that KVM maps to the VM", "hybrid": "windows for address spaces where they pay, software TLBs for others",
    "auto": "what the host's probe picks", "flat": "no MMU: guest addresses are physical", "qemu": "qemu-system-arm",
    "qemu-user": "QEMU's user-mode emulation, without an MMU", "native": "the same C code, compiled for this host"}


def nanoseconds(value):
    if value is None:
        return NA
    unit = "ns"
    for larger in ("µs", "ms", "s"):
        if value < 999.5:
            break
        value /= 1000
        unit = larger
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def plain(value):
    if value is None:
        return NA
    if value == 0:
        return "0"
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percent(value):
    return NA if value is None else f"{100 * value:+.0f} %"


def geometric_mean(ratios):
    ratios = [ratio for ratio in ratios if ratio]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def timed(results, engine, row, ratio=None):
    """A cell of a table: median, spread, mark, and the ratio if there is one."""
    value, spread = results.time(engine, row), results.spread(engine, row)
    if value is None:
        return NA
    return (nanoseconds(value) + (f" ({100 * spread:.0f} %)" if spread is not None else "") + ("*" if results.noisy(engine, row) else "")
            + (f" {ratio:.2f}x" if ratio else ""))


def legend(document, results, baseline, matrix):
    document.heading("How to read this")
    document.items([f"`{engine}`: {ENGINES[engine]}" for engine in dict.fromkeys(map(model_module.mode_of, results.engines)) if engine in ENGINES]
                   + ["`/lazy`, `/eager`, `/auto` behind a mode: its flush policy. `lazy` clears what a flush covers; `eager` walks again for it; "
                      "`auto` chooses."])
    document.items([
        f"Times are medians of {matrix.get('repeats', 3)} runs, per operation. In brackets: the interquartile range in per cent of the median.",
        conditions.RULE, f"Ratios ({baseline} = 1) are of medians: 2.00x is twice as fast. A filled dot is a ratio, an open one is of a marked time; "
        "whiskers are the interquartile range of that engine's times.",
        "n/a is what this run does not have. Rows, columns and tables of nothing but that are left out.",
        "`results.csv` and `counters.csv` beside this report have every sample; `docs/experiments.md` describes their columns."])


def speed_up(document, results, baseline):
    document.heading("Speed-up")
    document.text(f"Time per operation, and the ratio to `{baseline}`: above 1 is faster. Geometric means are over the rows that both have.")
    for group in ("compute", "system", "chase", "stride", "storm", "program", "bare", "flat", "boot"):
        rows = results.rows(group)
        engines = [engine for engine in results.engines if any(results.time(engine, row) for row in rows)]
        if not rows or not engines:
            continue
        document.heading(TITLES[group], 3)
        table, ratios, ranges = [], {engine: [] for engine in engines}, {engine: [] for engine in engines}
        for row in rows:
            base, line = results.time(baseline, row), [row]
            for engine in engines:
                value, found = results.time(engine, row), results.quartiles(engine, row)
                ratio = base / value if base and value else None
                ratios[engine].append(ratio)
                ranges[engine].append((base / found[1], base / found[0]) if base and found else None)
                line.append(timed(results, engine, row, ratio if engine != baseline else None))
            table.append(line)
        if group not in ("boot", "chase"):
            table.append(["geometric mean"] + [f"{mean:.2f}x" if (mean := geometric_mean(ratios[engine])) else NA for engine in engines])
        others = {engine: ratios[engine] for engine in engines if engine != baseline}
        noisy = {(engine, row) for engine in engines for row in rows if results.noisy(engine, row) or results.noisy(baseline, row)}
        document.plot(f"speed-up-{group}", plots.dots(f"speedup_{group}", f"{TITLES[group]}: times as fast as {baseline}",
                                                      f"times as fast as {baseline} (right of 1: faster)", rows, others, 1, ranges, noisy))
        document.table([group] + engines, table)


def chases(document, results):
    rows = [row for row in results.rows("chase") if row in workloads.GROUPS["chase"]]
    if not rows:
        return
    sizes = {"64k": 64, "256k": 256, "1m": 1024, "4m": 4096, "16m": 16384, "64m": 65536}
    series = {engine: [(sizes[row.split("_")[1]], value / 1e9) for row in rows if (value := results.least(engine, row))]
              for engine in results.engines}
    document.heading("Pointer chases over sizes")
    document.text("The least of all repeats: whatever else runs on the machine takes cache away and only ever makes a chase slower.")
    document.plot("chases", plots.lines("chases", "Pointer chase: time per load", "bytes that are chased through", "time per load", series,
                                        {size: name for name, size in sizes.items()}))
    references = [engine for engine in ("native", "flat") if any(results.time(engine, row) for row in rows)]
    for reference in references:
        engines = [engine for engine in results.engines if engine != reference]
        table = []
        for row in rows:
            base = results.least(reference, row)
            values = [results.least(engine, row) for engine in engines]
            table.append([row] + [f"{value / base:.2f}" if value and base else NA for value in values])
        what = "native x86 code" if reference == "native" else "`flat` (no translation)"
        document.table([f"times as long as {reference}"] + engines, table, f"Time in proportion to {what}: 1.10 is 10 % slower.")


def flush_costs(document, results):
    document.heading("Cost of a flush")
    document.text("From `bare_flush`: one TLBIASID over N installed entries, then one load from each of K of the pages. Each engine's "
                  "rows are fitted by base + per entry × N + per use × K (least squares of relative errors, no negative costs). "
                  "`lazy` pays per use, `eager` per entry: eager wins when more than the crossing share of the entries is used again.")
    fits, table = {}, []
    for engine in results.engines:
        found = model_module.flush_fit(results, engine)
        if found:
            fits[engine] = found
            table.append([engine] + [nanoseconds(found[key]) for key in ("base", "per_entry", "per_use")])
    if not fits:
        document.text("Not in this run: no engine has finished `bare_flush`.")
        return
    series, dashed = {}, {}
    for engine in fits:
        points = [(n, used, time / 1e9) for n, used, time in model_module.flush_points(results, engine)]
        series[engine] = [(n, time) for n, used, time in points if used == n]
        series[f"{engine}, one used"] = [(n, time) for n, used, time in points if used == 1]
        dashed[f"{engine}, one used"] = engine
    document.plot("flush", plots.lines("flush", "A flush and the uses after it", "entries installed", "time of the flush and the uses", series,
                                       {n: str(n) for n in (16, 64, 256, 1024)}, dashed))
    document.text("In the plot: all pages used again (solid lines), or one (dashed).")
    document.table(["engine", "base", "per entry covered", "per page used again"], table)
    crossings = []
    for mode in dict.fromkeys(model_module.mode_of(engine) for engine in fits):
        lazy, eager = fits.get(f"{mode}/lazy"), fits.get(f"{mode}/eager")
        if not lazy or not eager:
            continue
        share = model_module.crossing(lazy, eager)
        one = crossing_entries(lazy, eager, 1)
        # With many entries: what each costs when none and when all are used again.
        better = [found["per_entry"] + used * found["per_use"] for used in (0, 1) for found in (lazy, eager)]
        always = "eager always wins" if better[1] < better[0] and better[3] < better[2] else "lazy always wins" if share is None else None
        crossings.append([mode, always or f"{100 * share:.1f} % of the entries",
                          NA if one is None else f"{one:.0f} entries", NA if (all_used := gain(lazy, eager)) is None else f"{all_used:.2f}x"])
    if not document.table(["mode", "crossing: share used again", "crossing for one page used", "eager over lazy, all of 1024 used"], crossings,
                          "Below the share lazy is cheaper, above it eager. With one page used, eager is cheaper up to that many entries. "
                          "n/a: the two lines do not meet."):
        document.text("Not in this run: the crossing of lazy and eager, since no mode ran `bare_flush` with both policies.")


def crossing_entries(lazy, eager, used):
    """Entries covered at which both cost the same when `used` pages are used again; or None."""
    slope = eager["per_entry"] - lazy["per_entry"]
    difference = lazy["base"] - eager["base"] + used * (lazy["per_use"] - eager["per_use"])
    return difference / slope if slope > 0 and difference > 0 else None


def gain(lazy, eager, entries=1024):
    def cost(found):
        return found["base"] + entries * (found["per_entry"] + found["per_use"])
    return cost(lazy) / cost(eager) if cost(eager) else None


def events(document, results):
    names, engines = results.counted_workloads(), results.counted_engines()
    document.heading("Translation events")
    if not names:
        document.text("Not in this run: no Linux workload has statistics.")
        return
    document.text("Counts of the workload's operations alone: those of the same guest with the same preparation and next to no operations are "
                  "taken off (for programs: of a boot without one).")
    if not any(results.instructions_per_operation(workload) for workload in names):
        document.text("Not in this run: rates per instruction. They need the guest's instructions, counted by QEMU with `-icount`.")

    def rates(title, name, label, counter):
        values = {engine: [results.per_million_instructions(engine, workload, counter) for workload in names] for engine in engines}
        table = [[workload] + [plain(values[engine][i]) for engine in engines] for i, workload in enumerate(names)]
        document.heading(title, 3)
        document.plot(name, plots.dots(name.replace("-", "_"), title, f"{label}, none: no dot", names, values))
        document.table(["workload"] + engines, table)

    document.heading("Hit rate", 3)
    table = []
    for workload in names:
        found = [hit_rate(results, engine, workload) for engine in engines]
        table.append([workload, plain(results.instructions_per_operation(workload))] + [NA if rate is None else f"{100 * rate:.4f} %" for rate in found])
    document.table(["workload", "instructions/op"] + engines, table,
                   "Share of lookups that needed no walk, where lookups are counted; else the share of guest instructions that met "
                   "no software TLB refill and no window fault. Instructions of the guest are counted by QEMU with `-icount` (one repeat).")
    rates("Walks per million instructions", "walks", "walks per million instructions", "walks")
    rates("VM exits per million instructions", "vm-exits", "exits per million instructions", "vm_exits")
    rates("Returns from translated code to the engine, per million instructions", "engine-exits", "returns per million instructions", "engine_exits")

    document.heading("Counts per operation", 3)
    document.text("Columns of zeros are left out.")
    shown = ["faults", "faults_installed", "soft_refills", "walks", "installed", "prefilled", "removed", "kept", "rewritten",
             "flushes_bulk", "flushes_page", "flushes_lazy", "flushes_eager", "switches", "evictions", "promotions", "demotions", "vm_exits", "device_accesses"]
    for engine in engines:
        rows = [[workload] + [plain(results.counter(engine, workload, name)) for name in shown] for workload in names
                if (engine, workload) in results.by_cell]
        document.table([engine] + [name.replace("_", " ") for name in shown], rows, nothing=(NA, "", "0"))


def hit_rate(results, engine, workload):
    misses = [results.counter(engine, workload, name) for name in ("soft_refills", "faults")]
    if all(value is None for value in misses):
        return None
    total = sum(value or 0 for value in misses)
    lookups = results.counter(engine, workload, "lookups") or results.instructions_per_operation(workload)
    return max(0.0, 1 - total / lookups) if lookups else None


def hybrid(document, results):
    """Hybrid against the modes that it chooses from."""
    engines = [engine for engine in results.engines if model_module.mode_of(engine) == "hybrid"]
    if not engines:
        return
    document.heading("Hybrid")
    pure = [engine for engine in results.counted_engines() if model_module.mode_of(engine) in ("soft",) + workloads.PROVIDERS]
    for engine in engines:
        rows = []
        for workload in results.counted_workloads():
            value, soft = results.time(engine, workload), results.time("soft", workload)
            others = [(time, other) for other in pure if (time := results.time(other, workload))]
            if not value or not others:
                continue
            best, name = min(others)
            def run(counter):
                return plain(results.whole_run(engine, workload, counter))
            rows.append([workload, nanoseconds(value), f"{name} {nanoseconds(best)}", percent(value / best - 1), percent(value / soft - 1) if soft else NA,
                         run("promotions"), run("demotions"), f"{run('upkeep_predicted')} / {run('upkeep_seen')}", f"{run('window_seconds')} / {run('soft_seconds')}"])
        document.table([engine, "time", "best other mode", "over the best", "over soft", "promoted", "demoted", "ms of faults and flushes predicted / seen",
                        "s in windows / on software TLBs"], rows, "Negative: hybrid is faster. Promotions and what follows are of whole guests, boot included.")


def time_split(document, results, model):
    document.heading("Time split")
    measured = [(record["engine"], record["workload"], counters.times(record["statistics"])) for record in results.records
                if counters.times(record["statistics"])]
    if measured:
        names = list(dict.fromkeys(name for _, _, found in measured for name in found))
        seen, rows = set(), []
        for engine, workload, found in measured:
            if (engine, workload) not in seen:
                seen.add((engine, workload))
                rows.append([f"{engine} {workload}"] + [plain(found.get(name)) for name in names])
        document.text("As Crosswalk measured it itself (its statistics, group `time`; the boot is in it):")
        document.table(["run"] + names, rows)
    else:
        document.text("Not in this run: times measured by Crosswalk itself; its statistics have no group `time`.")
    document.text("Estimated: counts of the workload times this machine's cost of each event (next section); the rest is work. Events that, at these costs, would take longer than there is, share it.")
    any_split = False
    for engine in model.engines:
        found = {workload: split for workload in model.workloads if (split := model.split(engine, workload))}
        if not found:
            continue
        any_split = True
        terms = ["work", *model_module.EVENTS]
        rows = [[workload] + [f"{100 * split[term] / max(sum(split.values()), 1e-9):.1f} %" for term in terms] for workload, split in found.items()]
        document.table([engine] + terms, rows, nothing=(NA, "0.0 %"))
        shares = {term: [100 * split[term] / max(sum(split.values()), 1e-9) for split in found.values()] for term in terms}
        safe = engine.replace("/", "-")
        document.plot(f"split-{safe}", plots.shares(f"split_{safe.replace('-', '_')}", f"{engine}: where time goes (estimate)", list(found), shares))
    if not any_split:
        document.text("Not in this run: it needs `bare_flush`, and workloads with statistics.")


def model_blocks(document, model):
    document.heading("Model: what bare metal with EPT would show")
    document.text("THIS IS A PREDICTION, NOT A MEASUREMENT. It takes the counts of events measured here and the costs below, which "
                  "are literature values and estimates given as options, not measurements of any machine. Its terms: time per operation = work × "
                  "(1 + TLB share × (walk factor − 1)) × CPU factor + the sum over events of count × cost. `work` is what is left of the fastest "
                  "mode's measured time when its events are taken off. It knows nothing of caches that a fault handler empties, of "
                  "prefetching, of other load on the machine, or of anything that counts do not show.")
    costs = model.costs
    document.table(["option", "value", "what", "source of the default"],
                   [[f"`--{name}`", plain(costs[name]), meaning, source if costs[name] == default else "given on the command line"]
                    for name, (default, meaning, source) in model_module.OPTIONS.items()]
                   + [["`--fault-path`", costs["fault-path"], "how shadow learns of a fault: upcall (no exit) or exit", "given on the command line" if costs["fault-path"] != "upcall" else "the upcall is what the design wants"]], words=True)
    document.heading("Costs measured on this machine", 3)
    events_shown = list(model_module.EVENTS)
    rows = [[engine] + [nanoseconds(found[event]) for event in events_shown] for engine, found in model.here.items()]
    if rows:
        document.table(["engine"] + [model_module.EVENTS[event] for event in events_shown], rows,
                       "From `bare_flush`, `mmu_flush_page_touch`, `mmu_data_abort`, `mmu_domain_change` and `flat_device_read` of this run. A cost of 0 is one that the fit does not need.")
    else:
        document.text("Not in this run: they need `bare_flush`.")
    own = []
    for engine in model.engines:
        found = [counters.median([counters.read(record["statistics"], name) for record in model.results.records if record["engine"] == engine])
                 for name in ("cost_fault", "cost_install", "cost_flush")]
        if any(value is not None for value in found):
            own.append([engine] + [nanoseconds(value) for value in found])
    document.table(["measured by Crosswalk itself at its start", "window fault", "entry installed", "entry flushed"], own)
    document.heading("Model error on this machine", 3)
    document.text("The same model with this machine's costs against what was measured; the work is taken from other modes only. "
                  "Positive: the model says slower than it was.")
    error_rows = []
    for workload in model.workloads:
        checks = [model.check(engine, workload) for engine in model.engines]
        if any(checks):
            error_rows.append([workload] + [NA if not check else f"{nanoseconds(check[0])} / {nanoseconds(check[1])} {percent(check[0] / check[1] - 1)}" for check in checks])
    if error_rows:
        medians = [counters.median([abs(error) for error in model.errors(engine)]) for engine in model.engines]
        error_rows.append(["median of the error's size"] + [NA if value is None else f"{100 * value:.0f} %" for value in medians])
        document.table(["predicted / measured"] + model.engines, error_rows)
    else:
        document.text("Not in this run: it needs two modes with statistics, and `bare_flush` for both.")
    document.heading("Prediction for bare metal", 3)
    rows = []
    for workload in model.workloads:
        predictions = [model.predict(engine, workload) for engine in model.engines]
        if any(predictions):
            soft = next((model.predict(engine, workload) for engine in model.engines if engine == "soft"), None)
            rows.append([workload] + [NA if value is None else nanoseconds(value) + (f" {soft / value:.2f}x" if soft and model.engines[i] != "soft" else "")
                                      for i, value in enumerate(predictions)])
    if rows:
        document.table(["predicted"] + model.engines, rows, "Ratios are to soft, as predicted: above 1 the mode is faster than the software TLB.")
    else:
        document.text("Not in this run: it needs counts of workloads, and `bare_flush`.")


def model_section(model):
    document = Document()
    model_blocks(document, model)
    return document.markdown()


def run_table(document, matrix, plan, records):
    """What was run where: the conditions of all cells."""
    by_status = {status: sum(1 for record in records if record["status"] == status) for status in ("ok", "failed", "skipped")}
    builds = sorted({record["binary"] for record in records if record.get("binary")})
    about = [record.get("conditions", {}) for record in records]

    def all_of(text):
        return "; ".join(sorted({text(found) for found in about})) or NA

    dates = sorted(found["date"] for found in about if "date" in found)
    loads = [found[key] for found in about for key in ("load_start", "load_end") if found.get(key) is not None]
    document.table(["run", ""], [
        ["cells", f"{by_status['ok']} of {len(plan)} finished, {by_status['failed']} failed, {by_status['skipped']} that this host cannot run"],
        ["measured (UTC)", f"{dates[0]} to {dates[-1]}" if dates else NA],
        ["Crosswalk", all_of(lambda found: f"{found.get('version', conditions.UNKNOWN)}, commit {found.get('commit', conditions.UNKNOWN)}")],
        ["builds (SHA-256)", ", ".join(builds) or NA], ["host", all_of(conditions.host_text)],
        ["load average", f"{min(loads)} to {max(loads)}, the guests' own in it" if loads else NA],
        ["options", ", ".join(f"{key} {matrix[key] if not isinstance(matrix[key], list) else ' '.join(matrix[key])}" for key in matrix if key != "description")]],
        words=True)
    if len(builds) > 1:
        document.text("Results of several builds are mixed here; `--fresh` runs the older ones again.")
    if not plots.available():
        document.text("There are no plots: gnuplot is not installed.")


def compose(name, matrix, plan, records, costs):
    results = counters.Results(records)
    model = model_module.Model(results, costs)
    baseline = next((engine for engine in ("qemu", *results.engines) if engine in results.engines), "none")
    document = Document()
    document.heading(f"Crosswalk experiments: {name}", 1)
    document.text(matrix.get("description", ""))
    run_table(document, matrix, plan, records)
    document.contents()
    legend(document, results, baseline, matrix)
    speed_up(document, results, baseline)
    chases(document, results)
    flush_costs(document, results)
    events(document, results)
    hybrid(document, results)
    time_split(document, results, model)
    model_blocks(document, model)
    document.heading("Cells without a result")
    document.table(["cell", "status", "reason"], [[f"{record['engine']} {record['workload']} {record['repeat'] + 1}", record["status"],
                                                   record.get("reason", "")[:300]] for record in results.problems], words=True)
    return document, results


def write(output, name, matrix, plan, records, costs):
    document, results = compose(name, matrix, plan, records, costs)
    os.makedirs(os.path.join(output, "plots"), exist_ok=True)
    for old in os.listdir(os.path.join(output, "plots")):
        if old.endswith(".svg"):
            os.remove(os.path.join(output, "plots", old))
    for path, text in {**document.files(f"Crosswalk experiments: {name}"), **tidy.files(results)}.items():
        path = os.path.join(output, path)
        with open(path + ".new", "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(path + ".new", path)
