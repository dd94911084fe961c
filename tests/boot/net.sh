#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The network card with Debian's kernel in every mode: an address by DHCP, a file from a server on
# the host, one from the guest through a forwarded port; the same on tap interfaces, in a network
# namespace of their own. Nothing leaves this machine.
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

# What is run for hours by hand (docs/testing.md); in so short a time memory still grows.
if scripts/soak-network.py --seconds 10 --growth 100 >"$scratch/text" 2>"$scratch/err"; then ok net/soak
else not_ok net/soak "$(said 4)"; fi

# As a user who is root of nothing but that namespace.
in_namespace() {
  local set_up="ip link set lo up && ip tuntap add dev tap7 mode tap ${queues:-} && ip addr add 10.0.2.2/24 dev tap7 && ip link set tap7 up"
  unshare --user --map-root-user --net sh -c "$set_up"' && exec "$@"' sh "$@"
}
# tap NAME OPTIONS…: as network.
tap() {
  local name=net/$1
  shift
  if in_namespace python3 tests/boot/net.py --tap tap7 "$@" --limit "$(limit 150)" >"$scratch/text" 2>"$scratch/err"; then ok "$name ($(tail -n 1 "$scratch/text"))"
  else not_ok "$name" "$(said 4)"; fi
}
if in_namespace true 2>"$scratch/err" >"$scratch/text"; then
  tap tap
  SMP=2 queues=multi_queue tap tap-several-queues --pairs 2
  # As many as are asked for, or one where the interface has one.
  in_namespace "$crosswalk" run --kernel "$guest/bare/hello.bin" --timeout 20 --net tap,ifname=tap7,queues=2 >"$scratch/text" 2>"$scratch/err"
  if [ $? = 2 ] && grep -q 'mode tap multi_queue' "$scratch/err"; then ok net/tap-one-queue; else not_ok net/tap-one-queue "$(said)"; fi
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
