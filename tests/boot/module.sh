#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module, in an emulated machine.
# Needs: module
# Takes: 180
exec scripts/check-module.sh
