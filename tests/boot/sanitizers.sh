#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A part of `make check-asan` and `make check-tsan`: the tests of machine and MMU, and bare-metal
# guests.
# Needs: sanitized bare
# Takes: 120
scripts/check-sanitized.sh address reduced
scripts/check-sanitized.sh thread reduced
exit 0
