#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes tests/translator/x64/golden.expected anew from what the backend generates now.
set -e
cd "$(dirname "$0")/.."
build=${BUILD:-build}
make BUILD="$build" "$build/tests/translator-x64"
CROSSWALK_UPDATE_GOLDEN=1 "$build/tests/translator-x64" --gtest_filter='Golden.*'
git diff --stat -- tests/translator/x64/golden.expected
