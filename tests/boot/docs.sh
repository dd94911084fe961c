#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of docs/running-guests.md do what the page says, and have every option of run.
# Needs: crosswalk boot bare smp share symbols firmware
# Takes: 66
set -u
. tests/boot/lib.sh
page=$PWD/docs/running-guests.md commands=$PWD/tests/scripts/run_doc_commands.py
mkdir -p "$scratch/folder/build"
ln -s "$(realpath "$crosswalk")" "$scratch/folder/build/crosswalk"
ln -s "$(realpath "$guest")" "$scratch/folder/build/guest"
(cd "$scratch/folder" && "$commands" "$page" docs/running-guests "$(limit 60)")

# Options in the commands, and in --help but for itself.
sed -n '/^```sh$/,/^```$/p' "$page" | grep -oE -- '(^| )--[a-z][a-z-]+' | tr -d ' ' | sort -u >"$scratch/used"
"$crosswalk" run --help | grep -oE '^  (-[a-zA-Z] \[ )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | grep -vx -- --help | sort -u >"$scratch/known"
name=docs/options
if [ -s "$scratch/known" ] && [ -z "$(comm -13 "$scratch/used" "$scratch/known")" ]; then ok $name
else not_ok $name "no command of the page has $(comm -13 "$scratch/used" "$scratch/known" | tr '\n' ' ')"; fi
