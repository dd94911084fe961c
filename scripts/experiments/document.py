# SPDX-License-Identifier: GPL-2.0-or-later
"""A document of headings, texts, lists, tables and plots, as Markdown and as one HTML file without scripts."""
import html
import re

import plots

NA = "n/a"

# Light and dark by the reader's choice. Only what is in `.wide` scrolls sideways, never the page.
STYLE = """
:root{color-scheme:light dark;--text:#1c1e21;--page:#fff;--line:#c9ccd1;--head:#f1f2f4;--faint:#667;--link:#1a5fb4}
@media(prefers-color-scheme:dark){:root{--text:#e3e5e8;--page:#16181c;--line:#3b3f46;--head:#22252b;--faint:#9aa1ab;--link:#8ab4f8}}
*{box-sizing:border-box}
body{font:15px/1.55 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:1180px;margin:0 auto;padding:1em;overflow-wrap:anywhere}
h1{font-size:1.6em}h2{margin-top:2.2em;border-bottom:1px solid var(--line)}h3{margin-top:1.6em}
a{color:var(--link)}p,li{max-width:80ch}
nav{border:1px solid var(--line);border-radius:6px;padding:.4em 1em;margin:1.5em 0;columns:17em}
nav ul{margin:.2em 0;padding-left:1.1em}nav li{break-inside:avoid}
code{font:.92em ui-monospace,monospace;background:var(--head);padding:0 .25em;border-radius:3px}
.wide{overflow-x:auto;max-width:100%;margin:1em 0}
table{border-collapse:separate;border-spacing:0;border:1px solid var(--line);border-width:1px 0 0 1px;font-size:13px;overflow-wrap:normal}
td,th{border:1px solid var(--line);border-width:0 1px 1px 0;padding:3px 8px;text-align:right;vertical-align:top}
td:first-child,th:first-child{text-align:left;position:sticky;left:0;background:var(--page)}
th,th:first-child{background:var(--head);text-align:left;vertical-align:bottom}td:first-child{min-width:9em}
.words td{text-align:left}td code{white-space:nowrap}
@media(max-width:700px){table:not(.words) td:not(:first-child){white-space:nowrap}}
.na{color:var(--faint)}
.noisy{color:var(--faint)}
svg{display:block;width:100%;min-width:600px;max-width:900px;height:auto}
"""


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def prose(text):
    """HTML of a text whose code is in backticks. Numbers stay with their units."""
    escaped = html.escape(text)
    escaped = re.sub(r"(\d) (ns|µs|ms|s|%|min|h|KiB|MiB|GiB)\b", "\\1\u00a0\\2", escaped)
    escaped = re.sub(r"(\d) (%)", "\\1\u00a0\\2", escaped)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def without_nothing(header, rows, nothing):
    """The table without rows, and then columns, that have only `nothing`; the first column is their names."""
    rows = [row for row in rows if any(cell not in nothing for cell in row[1:])]
    kept = [0] + [i for i in range(1, len(header)) if any(row[i] not in nothing for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


class Document:
    def __init__(self):
        self.blocks = []

    def heading(self, text, level=2):
        self.blocks.append(("heading", text, level))

    def text(self, text):
        if text:
            self.blocks.append(("text", text))

    def items(self, texts):
        self.blocks.append(("items", texts))

    def contents(self):
        """Where the list of the headings is."""
        self.blocks.append(("contents",))

    def table(self, header, rows, note=None, nothing=(NA, ""), words=False):
        """Rows and columns of nothing but `nothing` are left out, and the whole table if nothing is left; returns whether
        it is there. words: its cells are texts, not numbers."""
        header, rows = without_nothing(header, rows, nothing)
        if not rows:
            return False
        self.blocks.append(("table", header, rows, words))
        self.text(note)
        return True

    def plot(self, name, svg):
        if svg:
            self.blocks.append(("plot", name, svg))

    def finished(self):
        """The blocks without headings that have nothing below them."""
        kept = []
        for block in reversed(self.blocks):
            below = kept[-1] if kept else None
            if block[0] == "heading" and (below is None or (below[0] == "heading" and below[2] <= block[2])):
                continue
            kept.append(block)
        return kept[::-1]

    def headings(self):
        return [(block[1], block[2]) for block in self.finished() if block[0] == "heading" and block[2] > 1]

    def markdown(self):
        parts = []
        for block in self.finished():
            if block[0] == "heading":
                parts.append("#" * block[2] + " " + block[1])
            elif block[0] == "text":
                parts.append(block[1])
            elif block[0] == "items":
                parts.append("\n".join(f"- {text}" for text in block[1]))
            elif block[0] == "contents":
                parts.append("\n".join(f"{'  ' * (level - 2)}- [{text}](#{slug(text)})" for text, level in self.headings()))
            elif block[0] == "table":
                lines = ["| " + " | ".join(block[1]) + " |", "|---" + ("|---" if block[3] else "|---:") * (len(block[1]) - 1) + "|"]
                lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in block[2]]
                parts.append("\n".join(lines))
            else:
                parts.append(f"![{block[1]}](plots/{block[1]}.svg)")
        return "\n\n".join(parts) + "\n"

    def html(self, title):
        parts = ["<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>",
                 f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"]
        for block in self.finished():
            if block[0] == "heading":
                parts.append(f"<h{block[2]} id='{slug(block[1])}'>{prose(block[1])}</h{block[2]}>")
            elif block[0] == "text":
                parts.append(f"<p>{prose(block[1])}</p>")
            elif block[0] == "items":
                parts.append("<ul>" + "".join(f"<li>{prose(text)}</li>" for text in block[1]) + "</ul>")
            elif block[0] == "contents":
                parts.append(self.html_contents())
            elif block[0] == "table":
                parts.append(html_table(*block[1:]))
            else:
                parts.append(f"<div class='wide' id='plot-{block[1]}'>{block[2]}</div>")
        return "\n".join(parts) + "\n</body></html>\n"

    def html_contents(self):
        parts, open_list = ["<nav aria-label='Contents'><ul>"], False
        for text, level in self.headings():
            if (level > 2) != open_list:
                parts.append("<ul>" if level > 2 else "</ul>")
                open_list = level > 2
            parts.append(f"<li><a href='#{slug(text)}'>{prose(text)}</a></li>")
        return "\n".join(parts) + ("</ul>" if open_list else "") + "</ul></nav>"

    def files(self, title):
        """{path below the report's folder: text}"""
        found = {"report.md": self.markdown(), "report.html": self.html(title)}
        found.update({f"plots/{block[1]}.svg": plots.standalone(block[2]) for block in self.blocks if block[0] == "plot"})
        return found


def html_table(header, rows, words):
    def cell(text):
        kind = " class='na'" if text == NA else " class='noisy'" if "*" in text and not words else ""
        return f"<td{kind}>{prose(text)}</td>"
    head = "".join(f"<th>{prose(text)}</th>" for text in header)
    body = "".join("<tr>" + "".join(cell(text) for text in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table{' class=words' if words else ''}><tr>{head}</tr>{body}</table></div>"
