# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG plots by gnuplot. Each function returns the SVG's text, or None when gnuplot is missing or has nothing to draw.

A plot has no background, and draws axes and words in the colour of the text around it (currentColor), so that it can be
read on a light and on a dark page. Names stand beside horizontal rows: they cannot overlap, however long they are.
"""
import math
import re
import shutil
import subprocess

# All have a contrast of 3 at least to white and to #16181c.
COLOURS = ["#3b82c4", "#d9534f", "#2e9b57", "#b27d12", "#8e6bbf", "#17929f", "#c2528b", "#808080", "#77892b", "#b5673a", "#5a6fd8", "#a0522d"]
# In gnuplot: filled and open circle.
FILLED, OPEN = 7, 6
FAINT = "#60808080"
WIDTH = 760


def available():
    return shutil.which("gnuplot") is not None


def gnuplot(name, width, height, script):
    """The picture that `script` draws. `name` begins every id in it, so that pictures can share a page."""
    if not available():
        return None
    head = (f'set terminal svg size {width},{height} dynamic font "sans-serif,12" name "{name}"\nset encoding utf8\n'
            f"set border 3 lw 0.8\nset tics nomirror\nset grid xtics ytics lc rgb '{FAINT}' lw 0.5 dt 1\n"
            "set key outside top left horizontal Left reverse noenhanced samplen 1.5 maxcols 4\n")
    done = subprocess.run(["gnuplot"], input=head + script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    start = done.stdout.find("<svg")
    if done.returncode != 0 or start < 0:
        raise RuntimeError(f"gnuplot failed on {name}: {done.stderr.strip()[-400:]}")
    svg = re.sub(r"""(id=["']|#)(gp|textbox|greybox|image|gnuplot_canvas)""", rf"\1{name}_\2", done.stdout[start:])
    svg = re.sub(r">(\d+) us<", ">\\1 µs<", svg)  # gnuplot has no micro sign
    svg = re.sub(r"""(fill|stroke)=(["'])black\2""", r"\1=\2currentColor\2", svg)
    # What a pointer over the picture shows: nothing of gnuplot's own names.
    svg = re.sub(rf"<title>{name}(_plot_\d+)?</title>", "", svg)
    return svg.replace(' color="black"', "")


def standalone(svg):
    """The same for a file of its own, which has no text around it."""
    style = "<style>svg{color:#1c1e21}@media (prefers-color-scheme:dark){svg{color:#e3e5e8}}</style>"
    return svg.replace(">", ">\n" + style, 1)


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'") + '"'


def data(name, rows):
    lines = [" ".join("NaN" if value is None else f"{value:.9g}" for value in row) for row in rows]
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def ratio_tics(low, high):
    """Numbers 1, 2, 5 times powers of ten between them; fewer where they would be many."""
    steps = (1, 2, 5) if high / low < 500 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [step * 10.0 ** exponent for exponent in exponents for step in steps]
    return [value for value in found if low <= value <= high]


def rows_of(labels):
    """The script for an axis of names, from the top down."""
    tics = ", ".join(f"{quoted(label)} {i}" for i, label in enumerate(labels))
    script = f"set yrange [{len(labels) - 0.5}:-0.5]\nset ytics ({tics}) noenhanced scale 0\nset grid noytics\n"
    for i in range(1, len(labels)):
        script += f"set arrow from graph 0,first {i - 0.5} to graph 1,first {i - 0.5} nohead lw 0.5 lc rgb '{FAINT}'\n"
    return script


def dots(name, title, xlabel, labels, series, stems_from=None, ranges=None, noisy=()):
    """A row for each label, with a dot for each of series {legend: [value or None, …]} on a logarithmic axis. stems_from:
    each dot hangs on a line that begins there. ranges: {legend: [(low, high) or None, …]} are drawn as whiskers.
    noisy: (legend, label) pairs whose dots are open."""
    series = {key: values for key, values in series.items() if any(value for value in values)}
    if not labels or not series:
        return None
    ends = [value for values in series.values() for value in values if value]
    ends += [end for key in series for found in (ranges or {}).get(key, []) if found for end in found]
    if stems_from:
        ends.append(stems_from)
    low, high = min(ends) / 1.25, max(ends) * 1.25
    step = 0.8 / len(series)
    script, columns = "", []
    for k, (key, values) in enumerate(series.items()):
        rows = {FILLED: [], OPEN: []}
        for i, value in enumerate(values):
            if value:
                found = (ranges or {}).get(key, [None] * len(values))[i] or (value, value)
                rows[OPEN if (key, labels[i]) in noisy else FILLED].append((i + (k - (len(series) - 1) / 2) * step, value, *found))
        everything = rows[FILLED] + rows[OPEN]
        colour = f"lc rgb '{COLOURS[k % len(COLOURS)]}'"
        script += data(f"all{k}", everything)
        if stems_from:
            columns.append(f"$all{k} using ({stems_from}):1:($2-{stems_from}):(0) with vectors nohead lw 1.5 {colour} notitle")
        if any(low_end != high_end for _, _, low_end, high_end in everything):
            columns.append(f"$all{k} using 2:1:3:4 with xerrorbars pt 0 ps 0 lw 1 {colour} notitle")
        for point, found in rows.items():
            if found:
                script += data(f"d{k}_{point}", found)
                columns.append(f"$d{k}_{point} using 2:1 with points pt {point} ps 0.7 {colour} notitle")
        # The legend has each once, however its points are drawn.
        columns.append(f"NaN with points pt {FILLED} ps 0.9 {colour} title {quoted(key)}")
    script += f"set title {quoted(title)} noenhanced\nset xlabel {quoted(xlabel)} noenhanced\nset logscale x\nset xrange [{low:.6g}:{high:.6g}]\n"
    script += "set xtics (" + ", ".join(f'"{value:.12g}" {value:.12g}' for value in ratio_tics(low, high)) + ")\n" + rows_of(labels)
    if stems_from:
        script += f"set arrow from first {stems_from},graph 0 to first {stems_from},graph 1 nohead lw 1.2\n"
    height = 110 + int(len(labels) * max(22, 9 * len(series))) + 18 * (len(series) // 5)
    return gnuplot(name, WIDTH, height, script + "plot " + ", ".join(columns) + "\n")


def shares(name, title, labels, series):
    """A bar from 0 to 100 per cent for each label, of series {legend: [per cent, …]} one after the other."""
    series = {key: values for key, values in series.items() if any(value for value in values)}
    if not labels or not series:
        return None
    script, columns, begin = "", [], [0.0] * len(labels)
    for k, (key, values) in enumerate(series.items()):
        rows = [(begin[i], begin[i] + (values[i] or 0.0), i) for i in range(len(labels))]
        begin = [end for _, end, _ in rows]
        script += data(f"d{k}", rows)
        columns.append(f"$d{k} using (($1+$2)/2):3:1:2:($3-0.35):($3+0.35) with boxxyerror fs solid 0.9 noborder lc rgb '{COLOURS[k % len(COLOURS)]}' "
                       f"title {quoted(key)}")
    script += f"set title {quoted(title)} noenhanced\nset xlabel \"per cent of the time\"\nset xrange [0:100]\n" + rows_of(labels)
    return gnuplot(name, WIDTH, 120 + 24 * len(labels), script + "plot " + ", ".join(columns) + "\n")


def lines(name, title, xlabel, ylabel, series, x_tics, dashed=()):
    """Series {legend: [(x, seconds), …]} on logarithmic axes. x_tics: {x: label}. dashed: {legend: other legend}, series
    that are drawn in the other one's colour, dashed, and are not in the legend of colours."""
    series = {key: points for key, points in series.items() if points}
    if not series:
        return None
    dashed = {key: other for key, other in dict(dashed).items() if key in series and other in series}
    solid = [key for key in series if key not in dashed]
    script, columns = "", []
    for i, (key, points) in enumerate(series.items()):
        script += data(f"d{i}", points)
        colour = COLOURS[solid.index(dashed.get(key, key)) % len(COLOURS)]
        style = "dt 2 lw 1.5 pt 6 ps 0.5" if key in dashed else "dt 1 lw 2 pt 7 ps 0.6"
        columns.append(f"$d{i} using 1:2 with linespoints {style} lc rgb '{colour}' " + ("notitle" if key in dashed else f"title {quoted(key)}"))
    script += f"set title {quoted(title)} noenhanced\nset xlabel {quoted(xlabel)} noenhanced\nset ylabel {quoted(ylabel)} noenhanced\n"
    for axis, values in (("x", [x for points in series.values() for x, _ in points]), ("y", [y for points in series.values() for _, y in points])):
        script += f"set logscale {axis}\nset {axis}range [{min(values) / 1.2:.6g}:{max(values) * 1.2:.6g}]\n"
    script += "set format y \"%.0s %cs\"\nset xtics (" + ", ".join(f"{quoted(label)} {x}" for x, label in x_tics.items()) + ")\n"
    return gnuplot(name, WIDTH, 460, script + "plot " + ", ".join(columns) + "\n")
