# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that fetch Debian packages into a folder, their first argument: makes it,
# and sets $directory, $state and die() for scripts/private-apt.sh, which it sources.
directory=${1:?usage: $(basename "$0") DIRECTORY}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
state=$directory/apt

die() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }

. "$(dirname "$0")/private-apt.sh"
