#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest cannot make the VMM deaf: signals, keys and --timeout end it soon, whatever the guest does
# to its devices; and they, SIGUSR1 and Ctrl-A i show its state. END_LIMIT is the number of seconds
# that an end may take.
# Needs: crosswalk boot bare
# Takes: 40
# Alone: how soon a run ends is measured
set -u
. tests/boot/lib.sh
# Makes the host's disk slow: system calls named in SLOW_CALLS take an hour, but for small ones, as
# at the start.
cat >"$scratch/slow.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static void wait_if(const char* name) {
  if (strstr(getenv("SLOW_CALLS") ? getenv("SLOW_CALLS") : "", name)) sleep(3600);
}
ssize_t pread(int fd, void* to, size_t bytes, off_t at) {
  if (bytes >= 65536) wait_if("pread");
  return ((ssize_t(*)(int, void*, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, to, bytes, at);
}
ssize_t pread64(int fd, void* to, size_t bytes, off_t at) { return pread(fd, to, bytes, at); }
C
gcc -shared -fPIC -o "$scratch/slow.so" "$scratch/slow.c" -ldl
truncate -s 1T "$scratch/huge.img"
python3 tests/boot/control.py "$crosswalk" "$guest" "$scratch"
