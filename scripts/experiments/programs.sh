#!/bin/dash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs real programs in the guest (in the root image, as /experiments/programs) and prints a row
# `name<TAB>ns_per_op` and a line `total name operations` for each, after its result was checked.
# Guest time is host time. /tmp is a tmpfs. --slices runs each N times, and before each prints
# `bench: ready NAME` and waits for a line of input, as bench-linux. Not busybox's shell, which
# would run its own date and bzip2. usage: programs [--slices N] NAME...
export PATH=/usr/bin:/bin LC_ALL=C HOME=/tmp
data=/experiments
cd /tmp || exit 1

fail() { echo "bench: $1: wrong result: $2"; exit 1; }
# timed COMMAND...: its time in ns is left in $elapsed
timed() {
  local start end
  start=$(date +%s%N)
  "$@" || fail "$name" "exit status $? of $1"
  end=$(date +%s%N)
  elapsed=$((end - start))
}
row() { printf '%s\t%s\ntotal %s %s\n' "$1" "$2" "$1" "${3:-1}"; }

compress() { bzip2 -9c $data/text >text.bz2; }
database() { sqlite3 test.db <$data/queries.sql >answers; }
python() { python3 $data/benchmark.py >answer; }
compile() { gcc -O2 -c -o generated.o $data/generated.c; }

# openssl_rate ARGUMENTS...: bytes a second
openssl_rate() { openssl speed -mr -seconds 1 -bytes 8192 "$@" 2>/dev/null | awk -F: '/^\+F/ { print $4; exit }'; }
openssl_block() {
  local rate
  rate=$(openssl_rate -evp "$1")
  [ -n "$rate" ] || fail "$name" "openssl speed -evp $1 printed no rate"
  row "$name" "$(awk "BEGIN { printf \"%.3f\", 8192e9 / $rate }")" "$(awk "BEGIN { printf \"%d\", $rate / 8192 }")"
}

measure() {
  local rate
  rm -rf /tmp/*
  case $name in
    program_bzip2)
      timed compress
      bzip2 -dc text.bz2 | cmp -s - $data/text || fail $name "what was compressed differs"
      row $name $elapsed ;;
    program_sqlite3)
      timed database
      cmp -s answers $data/answers.expected || fail $name "$(head -n 3 answers)"
      row $name $elapsed ;;
    program_python3)
      timed python
      [ "$(cat answer)" = "$(cat $data/benchmark.expected)" ] || fail $name "$(head -n 1 answer)"
      row $name $elapsed ;;
    program_gcc)
      timed compile
      [ "$(nm generated.o | awk '/ T function_/ { ++n } END { print n }')" = "$(cat $data/functions.expected)" ] || fail $name "functions are missing"
      row $name $elapsed ;;
    openssl_sha256_8k) openssl_block sha256 ;;
    openssl_aes128_8k) openssl_block aes-128-cbc ;;
    openssl_rsa2048_sign)
      rate=$(openssl speed -mr -seconds 1 rsa2048 2>/dev/null | awk -F: '/^\+F2/ { print $4; exit }')
      [ -n "$rate" ] || fail $name "openssl speed printed no rate"
      row $name "$(awk "BEGIN { printf \"%.3f\", 1e9 / $rate }")" "$(awk "BEGIN { printf \"%d\", $rate }")" ;;
    nothing) ;;
    *) fail "$name" "no such program" ;;
  esac
}

slices=0
[ "$1" != --slices ] || { slices=$2; shift 2; }
for name in "$@"; do
  [ "$slices" -gt 0 ] || measure
  slice=0
  while [ $slice -lt "$slices" ]; do
    echo "bench: ready $name"
    read -r _ || fail "$name" "no line of input"
    measure
    slice=$((slice + 1))
  done
done
echo "bench: end 0"
