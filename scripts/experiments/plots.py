# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG plots by gnuplot. Each function returns the SVG's text, or None when gnuplot is missing or has nothing to draw."""
import re
import shutil
import subprocess

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888", "#222222", "#ee7733", "#009988",
           "#cc3311", "#332288"]


def available():
    return shutil.which("gnuplot") is not None


def gnuplot(name, width, height, script):
    if not available():
        return None
    styles = "".join(f'set linetype {i + 1} lc rgb "{colour}" lw 2 pt {i + 4}\n' for i, colour in enumerate(COLOURS))
    head = (f'set terminal svg size {width},{height} dynamic font "sans-serif,12" background "#ffffff" name "{name}"\n'
            "set encoding utf8\nset key outside top horizontal noenhanced\nset grid ytics lc rgb '#dddddd'\n" + styles)
    done = subprocess.run(["gnuplot"], input=head + script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    start = done.stdout.find("<svg")
    if done.returncode != 0 or start < 0:
        raise RuntimeError(f"gnuplot failed on {name}: {done.stderr.strip()[-400:]}")
    # Every picture of a page has names of its own.
    return re.sub(r"""(id=["']|#)(gp|textbox|image)""", rf"\1{name}_\2", done.stdout[start:])


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'") + '"'


def block(rows):
    lines = [" ".join("?" if value is None else quoted(value) if isinstance(value, str) else f"{value:.9g}" for value in row)
             for row in rows]
    return "$data << EOD\n" + "\n".join(lines) + "\nEOD\n"


def bars(name, title, ylabel, labels, series, log=False, line=None):
    """Groups of bars: labels on the x axis, series {legend: [value or None, …]}."""
    series = {key: values for key, values in series.items() if any(value for value in values)}
    if not labels or not series:
        return None
    values = [value for column in series.values() for value in column if value]
    rows = [[label] + [column[i] if column[i] else None for column in series.values()] for i, label in enumerate(labels)]
    script = block(rows) + f"set title {quoted(title)} noenhanced\nset ylabel {quoted(ylabel)} noenhanced\n"
    script += "set style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.9 noborder\n"
    script += "set datafile missing '?'\nset xtics rotate by -35 noenhanced\nset boxwidth 0.95\n"
    if log:
        # Bars of a logarithmic axis start at its bottom.
        script += f"set logscale y\nset yrange [{min(values) / 2:.6g}:{max(values) * 1.5:.6g}]\n"
    else:
        script += "set yrange [0:*]\n"
    if line is not None:
        script += f"set arrow from graph 0,first {line} to graph 1,first {line} nohead lc rgb '#000000' dt 2\n"
    columns = [f"$data using {i + 2}:xtic(1) title {quoted(key)} lt {i + 1}" for i, key in enumerate(series)]
    return gnuplot(name, max(640, 120 + len(labels) * (16 * len(series) + 24)), 420, script + "plot " + ", ".join(columns) + "\n")


def stacked(name, title, ylabel, labels, series):
    series = {key: values for key, values in series.items() if any(value for value in values)}
    if not labels or not series:
        return None
    rows = [[label] + [column[i] or 0.0 for column in series.values()] for i, label in enumerate(labels)]
    script = block(rows) + f"set title {quoted(title)} noenhanced\nset ylabel {quoted(ylabel)} noenhanced\n"
    script += "set style data histograms\nset style histogram rowstacked\nset style fill solid 0.9 noborder\nset boxwidth 0.8\n"
    script += "set xtics rotate by -35 noenhanced\nset yrange [0:*]\n"
    columns = [f"$data using {i + 2}:xtic(1) title {quoted(key)} lt {i + 1}" for i, key in enumerate(series)]
    return gnuplot(name, max(640, 120 + len(labels) * 40), 420, script + "plot " + ", ".join(columns) + "\n")


def lines(name, title, xlabel, ylabel, series, x_tics=None, vertical=None):
    """Series {legend: [(x, y), …]} on logarithmic axes. x_tics: {x: label}; vertical: {label: x}."""
    series = {key: points for key, points in series.items() if points}
    if not series:
        return None
    script = ""
    for i, points in enumerate(series.values()):
        script += f"$d{i} << EOD\n" + "\n".join(f"{x:.9g} {y:.9g}" for x, y in points) + "\nEOD\n"
    script += f"set title {quoted(title)} noenhanced\nset xlabel {quoted(xlabel)} noenhanced\nset ylabel {quoted(ylabel)} noenhanced\n"
    script += "set logscale xy\n"
    if x_tics:
        script += "set xtics (" + ", ".join(f"{quoted(label)} {x}" for x, label in x_tics.items()) + ")\n"
    for label, x in (vertical or {}).items():
        script += f"set arrow from first {x:.6g},graph 0 to first {x:.6g},graph 1 nohead lc rgb '#000000' dt 2\n"
        script += f"set label {quoted(label)} at first {x:.6g},graph 0.04 offset 0.5,0 noenhanced\n"
    columns = [f"$d{i} using 1:2 with linespoints title {quoted(key)} lt {i + 1}" for i, key in enumerate(series)]
    return gnuplot(name, 760, 440, script + "plot " + ", ".join(columns) + "\n")
