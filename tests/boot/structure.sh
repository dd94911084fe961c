#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The structure of the source: includes point down.
# Needs: nothing
set -u
. tests/boot/lib.sh

if scripts/check-includes.py >"$scratch/text" 2>"$scratch/err"; then ok structure/includes
else not_ok structure/includes "$(said 5)"; fi
if python3 tests/scripts/includes_test.py >"$scratch/text" 2>"$scratch/err"; then ok structure/check
else not_ok structure/check "$(said 5)"; fi
