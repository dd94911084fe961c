#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kvm world on nested paging, in an emulated machine: the reduced part of `make check-nested`.
# Needs: nested
# Takes: 200
NESTED=${NESTED:-reduced} exec scripts/check-nested.sh
