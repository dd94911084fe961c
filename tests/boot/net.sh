#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The network card with Debian's kernel in every mode: an address by DHCP, a file from a server on
# the host, one from the guest through a forwarded port; the same on a tap interface, in a network
# namespace of its own. Nothing leaves this machine.
# Needs: crosswalk net bare
# Takes: 70
set -u
. tests/boot/lib.sh
export CROSSWALK=$crosswalk GUEST=$guest

# network NAME OPTIONS…: options of net.py. The environment goes to scripts/boot.sh.
network() {
  local name=net/$1
  shift
  if python3 tests/boot/net.py "$@" --limit "$(limit 150)" >"$scratch/text" 2>"$scratch/err"; then ok "$name ($(tail -n 1 "$scratch/text"))"
  else not_ok "$name" "$(said 4)"; fi
}

for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "net/$mode" "$problem"; continue; fi
  MMU=$mode in_parallel network "$mode"
done
wait
KERNEL=armmp-lpae SMP=2 network smp
network restricted --restricted

# As a user who is root of nothing but that namespace.
in_namespace() {
  local set_up="ip link set lo up && ip tuntap add dev tap7 mode tap && ip addr add 10.0.2.2/24 dev tap7 && ip link set tap7 up"
  unshare --user --map-root-user --net sh -c "$set_up"' && exec "$@"' sh "$@"
}
if in_namespace true 2>"$scratch/err" >"$scratch/text"; then
  status=0
  in_namespace python3 tests/boot/net.py --tap tap7 --limit "$(limit 150)" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ $status = 0 ]; then ok "net/tap ($(tail -n 1 "$scratch/text"))"; else not_ok net/tap "$(said 4)"; fi
else
  skipped net/tap "no interface can be made in a namespace here: $(said)"
fi

kernel=$guest/bare/hello.bin
# refused NAME PATTERN NET
refused() {
  guest_run --kernel "$kernel" --timeout 20 --net "$3"
  if [ "$status" = 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -- "$2" "$scratch/err"; then ok "net/$1"
  else not_ok "net/$1" "exit status $status, expected 2 and '$2': $(said)"; fi
}
python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(60)' >"$scratch/port" &
holder=$!
for _ in $(seq 100); do [ -s "$scratch/port" ] && break; sleep 0.1; done
port=$(cat "$scratch/port")
refused port-in-use "hostfwd=tcp:127.0.0.1:$port-:22: cannot listen there: Address already in use; give another port" "user,hostfwd=tcp:127.0.0.1:$port-:22"
kill $holder
refused address-not-here 'give an address of this host' user,hostfwd=tcp:192.0.2.1:2222-:22
refused no-interface 'there is no such interface; as root, make it: ip tuntap add dev no-such-tap mode tap' tap,ifname=no-such-tap
refused no-tap 'it is no tap interface' tap,ifname=lo
