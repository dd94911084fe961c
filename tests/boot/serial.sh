#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --serial: whoever is at the other end of the line can come and go, and a file or nobody will do.
# Needs: crosswalk boot bare
set -u
. tests/boot/lib.sh
LIMIT=$(limit 60) python3 tests/boot/serial.py "$crosswalk" "$guest" "$scratch"
