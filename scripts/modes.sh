#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the modes of `crosswalk run --mmu`, one a line, from their table; --providers: those that
# --windows takes. Needs no build.
set -eu
case ${1:-} in
  '') pattern='.*' ;;
  --providers) pattern='Window' ;;
  *) echo "modes.sh: unknown option '$1'; use --providers" >&2; exit 2 ;;
esac
sed -n "s/^    {\"\([a-z-]*\)\", Mode::$pattern, .*/\1/p" "$(dirname "$0")/../vmm/host/modes.cc"
