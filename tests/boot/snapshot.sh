#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest is paused, saved and commanded by --control, goes on from its snapshot in every mode, and
# boots again after a reset. Files that are no snapshots, or not of this machine, are refused.
# Needs: crosswalk boot bare
set -u
. tests/boot/lib.sh
able=
for mode in $modes; do
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "snapshot/restore-$mode" "$problem"; else able+=" $mode"; fi
done
LIMIT=$(limit 60) python3 tests/boot/snapshot.py "$crosswalk" "$guest" "$scratch" $able
