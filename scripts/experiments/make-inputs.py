#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what the programs of the root image work on; the same on every machine.

usage: make-inputs.py FOLDER
"""
import contextlib
import io
import os
import random
import sys

TEXT_BYTES = 4 << 20
ROWS = 4000
FUNCTIONS = 12
SHORT_FUNCTIONS = 440
PRIMES_BELOW = 60000


def text(randomness):
    """Words with the frequencies of a language, so that it compresses as text does."""
    letters = "etaoinshrdlcumwfgypbvk"
    words = ["".join(randomness.choices(letters, weights=range(len(letters), 0, -1), k=randomness.randint(2, 9)))
             for _ in range(6000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    lines, size = [], 0
    while size < TEXT_BYTES:
        line = " ".join(randomness.choices(words, weights=weights, k=12)) + "\n"
        lines.append(line)
        size += len(line)
    return "".join(lines)[:TEXT_BYTES]


def queries():
    """Inserts, an index, updates and selects; and the answers, worked out here."""
    rows = [(i, i * 7919 % 10007, f"name {i * 31 % 997}") for i in range(ROWS)]
    sql = ["PRAGMA journal_mode=MEMORY;", "CREATE TABLE t(id INTEGER PRIMARY KEY, value INTEGER, name TEXT);"]
    for start in range(0, ROWS, 100):
        sql.append("BEGIN;")
        sql += [f"INSERT INTO t VALUES({i}, {value}, '{name}');" for i, value, name in rows[start:start + 100]]
        sql.append("COMMIT;")
    sql.append("CREATE INDEX by_name ON t(name);")
    sql.append("UPDATE t SET value = value + 1 WHERE id % 3 = 0;")
    sql.append("SELECT count(*), sum(value) FROM t;")
    sql.append("SELECT count(DISTINCT name) FROM t;")
    sql.append("SELECT sum(a.value) FROM t a JOIN t b ON a.name = b.name WHERE b.id < 200;")
    updated = [(i, value + (i % 3 == 0), name) for i, value, name in rows]
    by_name = {}
    for _, value, name in updated:
        by_name[name] = by_name.get(name, 0) + value
    answers = ["memory", f"{ROWS}|{sum(value for _, value, _ in updated)}", str(len(by_name)),
               str(sum(by_name[name] for i, _, name in updated if i < 200))]
    return "\n".join(sql) + "\n", "\n".join(answers) + "\n"


BENCHMARK = f"""# Sieve, dictionaries, strings, objects.
class Node:
    def __init__(self, value):
        self.value, self.left, self.right = value, None, None

    def insert(self, value):
        node = self
        while True:
            if value < node.value:
                if node.left is None:
                    node.left = Node(value)
                    return
                node = node.left
            else:
                if node.right is None:
                    node.right = Node(value)
                    return
                node = node.right


def work():
    sieve = bytearray([1]) * {PRIMES_BELOW}
    for i in range(2, int({PRIMES_BELOW} ** 0.5) + 1):
        if sieve[i]:
            for j in range(i * i, {PRIMES_BELOW}, i):
                sieve[j] = 0
    primes = [i for i in range(2, {PRIMES_BELOW}) if sieve[i]]
    counts = {{}}
    for p in primes:
        for digit in str(p):
            counts[digit] = counts.get(digit, 0) + 1
    root = Node(5000)
    value = 1
    for _ in range(4000):
        value = value * 16807 % 2147483647
        root.insert(value % 10000)
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [child for node in level for child in (node.left, node.right) if child]
    text = ",".join(sorted((str(p) for p in primes), reverse=True))
    return len(primes), sum(primes) % 1000003, sorted(counts.items()), depth, len(text)


print(work())
"""


def c_source(randomness):
    lines = ["/* Generated: functions with loops, branches, tables and calls. */", "typedef unsigned u32;"]
    for i in range(FUNCTIONS):
        a, b, c = (randomness.randrange(1, 1 << 16) for _ in range(3))
        call = f"x ^= function_{randomness.randrange(i)}(x & 7, t);" if i else "x ^= 1;"
        lines += [
            f"static const u32 table_{i}[8] = {{{', '.join(str(randomness.randrange(1 << 20)) for _ in range(8))}}};",
            f"unsigned function_{i}(u32 x, u32* t) {{",
            f"  for (u32 k = 0; k < (x & {i % 7 + 1}); ++k) {{",
            f"    if ((x ^ k) & {a & 0xff}) x = x * {b} + table_{i}[k & 7];",
            f"    else t[k & 3] += x >> {i % 5 + 1};",
            "  }",
            f"  switch (x % {i % 6 + 4}) {{",
            f"    case 0: x += {c}; break;",
            f"    case 1: x = (x << {i % 11 + 1}) | (x >> {32 - (i % 11 + 1)}); {call} break;",
            f"    case 2: t[x & 3] = x / {a % 97 + 3}; break;",
            f"    default: x -= t[{i % 4}];",
            "  }", "  return x;", "}"]
    for i in range(FUNCTIONS, FUNCTIONS + SHORT_FUNCTIONS):
        lines += [f"unsigned function_{i}(u32 x, u32 y) {{",
                  f"  return x * {randomness.randrange(3, 99)} + (y {'+-^&|'[i % 5]} x >> {i % 13 + 1});", "}", ""]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    randomness = random.Random(20240601)
    sql, answers = queries()
    expected = io.StringIO()
    with contextlib.redirect_stdout(expected):
        exec(BENCHMARK, {"__name__": "__main__"})
    for name, content in (("text", text(randomness)), ("queries.sql", sql), ("answers.expected", answers),
                          ("benchmark.py", BENCHMARK), ("benchmark.expected", expected.getvalue()),
                          ("generated.c", c_source(randomness)),
                          ("functions.expected", f"{FUNCTIONS + SHORT_FUNCTIONS}\n")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)


if __name__ == "__main__":
    main()
