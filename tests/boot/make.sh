#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make` says to wrong words, before it builds anything, and what it builds where not
# everything can be written.
# Needs: crosswalk
set -u
. tests/boot/lib.sh
unset MAKEFLAGS MAKELEVEL MFLAGS

# refuses NAME PATTERN WORD…: make prints one line, with PATTERN in it, and builds nothing.
refuses() {
  local name=make/$1 pattern=$2
  shift 2
  status=0
  # A folder that does not exist: it would be made by whatever is built.
  timeout -s KILL "$(limit 60)" make BUILD="$scratch/none" "$@" >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" = 0 ]; then not_ok "$name" "exit status 0"
  elif [ -e "$scratch/none" ]; then not_ok "$name" "it began to build; $(said)"
  elif [ "$(cat "$scratch/text" "$scratch/err" | wc -l)" != 1 ]; then not_ok "$name" "not one line: $(said 5)"
  elif ! grep -q -- "$pattern" "$scratch/err"; then not_ok "$name" "does not say '$pattern': $(said)"
  else ok "$name"; fi
}
refuses boot-mmu "MMU='foo' is unknown.*hybrid" boot MMU=foo
refuses boot-windows "WINDOWS='foo' is unknown.*ept" boot WINDOWS=foo
refuses boot-flush "FLUSH='foo' is unknown.*eager" boot FLUSH=foo
refuses boot-world "WORLD='foo' is unknown.*kvm" boot WORLD=foo
refuses boot-kernel "KERNEL='armm' is unknown.*armmp-lpae" boot KERNEL=armm
refuses only "ONLY='no-such-test' matches no test; there are: .*linux" check ONLY=no-such-test
refuses only-dollar "ONLY='no.|such' matches no test" check ONLY='no$|such'
refuses only-regex "ONLY='\[' is no regular expression" check ONLY='['
refuses fuzz "FUZZ='foo' is unknown.*virtio" fuzz FUZZ=foo

# The lists of the Makefile are Crosswalk's.
for option in mmu windows flush world; do
  "$crosswalk" run --kernel /proc/self/exe --$option foo 2>&1 | sed -n 's/.*use one of: //p' | tr -d , | tr ' ' '\n' | sort >"$scratch/known"
  make -s BUILD="$scratch/none" boot "${option^^}=foo" 2>&1 | sed -n 's/.*use one of: \(.*\)\.  Stop\./\1/p' | tr ' ' '\n' | sort >"$scratch/listed"
  if [ -s "$scratch/known" ] && cmp -s "$scratch/known" "$scratch/listed"; then ok "make/list-$option"
  else not_ok "make/list-$option" "Crosswalk has $(tr '\n' ' ' <"$scratch/known"), the Makefile $(tr '\n' ' ' <"$scratch/listed")"; fi
done

# ONLY builds what it selects, and no guest image for a program of unit tests.
if make -n BUILD="$scratch/none" GUEST="$scratch/none" check ONLY='translator-ir$' >"$scratch/text" 2>"$scratch/err" &&
  grep -q translator-ir "$scratch/text" && ! grep -qE 'fetch-guest|/crosswalk$|tests/vmm/' "$scratch/text"; then ok make/only-builds-little
else not_ok make/only-builds-little "$(grep -oE 'fetch-guest|[^ ]*/crosswalk$|tests/vmm/[a-z_]*' "$scratch/text" | head -n 3 | tr '\n' ' ') $(said 1)"; fi

# A HOME where nothing can be made, not even by root.
mkdir "$scratch/build"
touch "$scratch/build/.packages"
if HOME=/proc timeout -s KILL "$(limit 300)" make BUILD="$scratch/build" "$scratch/build/obj/vmm/machine/board/bus.o" >"$scratch/text" 2>"$scratch/err"; then ok make/read-only-home
else not_ok make/read-only-home "$(said 3)"; fi

# The compiler's commands are written again whenever they are asked for: there may be new files.
name=make/compile-commands
mkdir -p "$scratch/commands" && touch "$scratch/commands/compile_commands.json"
make -n BUILD="$scratch/commands" "$scratch/commands/compile_commands.json" >"$scratch/text" 2>"$scratch/err"
if grep -q '^scripts/compile-commands.py' "$scratch/text"; then ok "$name"; else not_ok "$name" "make does not: $(said)"; fi
