#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ordinary busybox commands whose output does not depend on the machine; commands.expected is what
# they print. The first and last line mark the part of the console that a test compares.
echo "commands: begin"
rm -rf /tmp/commands && mkdir -p /tmp/commands/sub/deeper && cd /tmp/commands || exit 1

echo "== echo, printf";  echo hello, world; printf '%05d %x %s\n' 42 255 end
echo "== seq, awk";      seq 1 1000 | awk '{ s += $1; q += $1 * $1 } END { print NR, s, q }'
echo "== cat, tac";      seq 1 5 >five; cat five - </dev/null; tac five
echo "== sort";          printf 'pear\napple\nfig\nbanana\napple\n' >fruit; sort -r fruit
echo "== uniq";          sort fruit | uniq -c | awk '{ print $1, $2 }'
echo "== wc";            seq 1 10000 >numbers; wc -l <numbers; wc -c <numbers
echo "== grep";          grep -c 7 numbers; grep -n '^99.9$' numbers | head -3
echo "== sed";           seq 1 6 | sed -n 's/\([0-9]\)/<\1>/;2,4p'
echo "== tr, cut";       echo 'a:b:c' | cut -d: -f2,3 | tr 'a-z' 'A-Z'
echo "== head, tail";    head -n 2 numbers; tail -n 2 numbers
echo "== md5sum";        md5sum numbers
echo "== sha256sum";     sha256sum numbers
echo "== gzip";          gzip -c numbers >numbers.gz && gunzip -c numbers.gz | cmp - numbers && echo same
echo "== tar";           cp numbers sub/deeper/; tar cf all.tar sub && mkdir out && tar xf all.tar -C out && cmp sub/deeper/numbers out/sub/deeper/numbers && tar tf all.tar
echo "== find";          find . -type f | sort
echo "== ls";            ls -1 sub; ls -l numbers | awk '{ print $1, $5 }'
echo "== expr, bc";      expr 123456 \* 789; echo '2^64 + 1; scale=10; 355/113' | bc
echo "== dd, od";        printf '\001\002\377ABC' | dd bs=3 skip=1 2>/dev/null | od -An -tx1
echo "== cmp";           seq 1 9999 >fewer; cmp -s numbers fewer; echo "differs: $?"
echo "== env";           env -i A=1 B=two /bin/busybox env | sort
echo "== sh";            f() { [ "$1" -lt 2 ] && echo "$1" || echo $(($(f $(($1 - 1))) + $(f $(($1 - 2))))); }; f 10
echo "== diff";          diff five fruit | head -4
echo "== xargs";         seq 1 12 | xargs -n 5 echo row
echo "== awk float";     awk 'BEGIN { x = 1; for (i = 0; i < 40; i++) x = (x + 2 / x) / 2; printf "%.12f %.3e %d\n", x, x / 3000, 7 % 4 }'
echo "== test, pipes";   yes no | head -n 20000 | wc -l; (exit 3); echo "status $?"; sleep 0.1 && echo slept
echo "== base64";        head -c 60 numbers | base64 | base64 -d | md5sum
echo "commands: end"
