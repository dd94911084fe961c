#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes an initramfs (cpio "newc", gzip) from a list of entries; the same input gives the same bytes.

usage: make-initramfs.py OUTPUT ENTRY...
An entry is one of
  dir:PATH:MODE              file:PATH:MODE:SOURCE      slink:PATH:TARGET
  nod:PATH:MODE:TYPE:MAJOR:MINOR (TYPE c or b)          tree:PATH:SOURCE (every file of a folder, mode 644)
An OUTPUT that does not end in .gz is not compressed. Owners are root, times 0; device nodes need no privilege.
"""
import gzip
import os
import stat
import sys


class Archive:
    def __init__(self):
        self.parts = []
        self.inode = 0

    def add(self, path, mode, data=b"", rdev=(0, 0)):
        self.inode += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        for part in (header, data):
            self.parts.append(part + b"\0" * (-len(part) % 4))

    def finish(self):
        self.inode = -1
        self.add("TRAILER!!!", 0)
        data = b"".join(self.parts)
        return data + b"\0" * (-len(data) % 512)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def add_entry(archive, entry):
    kind, path, *rest = entry.split(":")
    if kind == "dir":
        archive.add(path, stat.S_IFDIR | int(rest[0], 8))
    elif kind == "file":
        archive.add(path, stat.S_IFREG | int(rest[0], 8), read(rest[1]))
    elif kind == "slink":
        archive.add(path, stat.S_IFLNK | 0o777, rest[0].encode())
    elif kind == "nod":
        node_type = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}[rest[1]]
        archive.add(path, node_type | int(rest[0], 8), rdev=(int(rest[2]), int(rest[3])))
    elif kind == "tree":
        archive.add(path, stat.S_IFDIR | 0o755)
        for name in sorted(os.listdir(rest[0])):
            archive.add(f"{path}/{name}", stat.S_IFREG | 0o644, read(os.path.join(rest[0], name)))
    else:
        sys.exit(f"make-initramfs: unknown kind of entry: {entry}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    archive = Archive()
    for entry in sys.argv[2:]:
        try:
            add_entry(archive, entry)
        except OSError as error:
            sys.exit(f"make-initramfs: {entry}: {error.strerror}")
        except (IndexError, KeyError, ValueError):
            sys.exit(f"make-initramfs: malformed entry: {entry}")
    data = archive.finish()
    output = sys.argv[1]
    if output.endswith(".gz"):
        data = gzip.compress(data, 9, mtime=0)
    with open(output + ".new", "wb") as file:
        file.write(data)
    os.replace(output + ".new", output)


if __name__ == "__main__":
    main()
