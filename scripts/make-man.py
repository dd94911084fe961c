#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the manual page: a template in mdoc, with the options that `crosswalk COMMAND --help`
lists where a line is @OPTIONS COMMAND@, and the modes of --mmu where one is @MODES COMMAND@.

make-man.py CROSSWALK TEMPLATE
"""
import re
import subprocess
import sys
import textwrap


def groups_of(text):
    """[(title, [(head, sentence), …]), …] of a printed help, up to what stands behind the options."""
    column = max(len(head) for head in re.findall(r"^  -.*?  +(?=\S)|^ {12,}(?=\S)", text, re.M))
    groups = []
    for line in text.splitlines():
        title = re.fullmatch(r"(\S.*):", line)
        if title:
            groups.append((title[1], []))
        elif line.startswith("  -"):
            beside = line[column - 1:column] == " "
            groups[-1][1].append([line[:column].strip(), line[column:]] if beside else [line.strip(), ""])
        elif line.startswith(" " * column) and groups and groups[-1][1]:
            sentence = groups[-1][1][-1][1]
            # a word that was cut at a dash goes on without a space
            groups[-1][1][-1][1] += ("" if not sentence or re.search(r"\S-$", sentence) else " ") + line.strip()
    return [(title, options) for title, options in groups if options]


def plain(text):
    """Text of mdoc: a line a sentence, and none that begins like a request."""
    lines = []
    for sentence in re.split(r"(?<=\.) (?=\S)", text.replace("\\", r"\e")):
        lines += textwrap.wrap(sentence, 76, break_on_hyphens=False)
    return [re.sub(r"^(?=[.'])", r"\\&", line) for line in lines]


def item(head):
    """-d [ --log ] ITEMS, or --memory SIZE (=1G)."""
    match = re.fullmatch(r"(?:-(\w) \[ )?--([\w-]+)(?: \])?(?: ([^ (]\S*))?(?: \(=(.*)\))?", head)
    if not match:
        sys.exit(f"make-man.py: an option that it does not understand: {head}")
    short, name, value, default = match.groups()
    line = ".It " + (f"Fl {short} , " if short else "") + f"Fl Fl {name}" + (f' Ar "{value}"' if value else "")
    return line, f"The default is {default}." if default else ""


def options(text):
    lines, groups = [], groups_of(text)
    for title, entries in groups:
        if len(groups) > 1:
            lines.append(f".Ss {title}")
        lines.append(".Bl -tag -width Ds")
        for head, sentence in entries:
            line, default = item(head)
            lines += [line] + plain(sentence) + plain(default)
        lines.append(".El")
    return "\n".join(lines)


def modes(text):
    lines = [".Bl -tag -width Ds"]
    for name, how in re.findall(r"^  ([a-z-]+)  +(\S.*)$", text[text.index("\nModes"):], re.M):
        lines += [f".It Cm {name}"] + plain(how)
    return "\n".join(lines + [".El"])


def main():
    crosswalk, template = sys.argv[1:]
    with open(template) as file:
        page = file.read()

    def listed(match):
        text = subprocess.run([crosswalk, match[2], "--help"], check=True, capture_output=True, text=True).stdout
        return modes(text) if match[1] == "MODES" else options(text)
    sys.stdout.write(re.sub(r"^@(OPTIONS|MODES) (\w+)@$", listed, page, flags=re.M))


if __name__ == "__main__":
    main()
