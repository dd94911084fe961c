# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that fetch Debian packages. Preconditions: $state names a folder, die()
# exists, and $architecture is Debian's name of one or unset (armhf).
#
# The machine's own package sources and keys are used, but with a private apt state in $state, so
# that neither the machine's dpkg architectures nor its package lists change. Everything is verified
# by apt's signatures.
mkdir -p "$state"/{lists/partial,cache/archives/partial,etc/preferences.d,etc/sources.d,packages,dpkg}
: >"$state/dpkg/status"

# Debian's own repositories among the machine's sources, whatever format they are written in.
. /etc/os-release
release=${VERSION_CODENAME:-bookworm}
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null | sort -u |
  awk -v release="$release" '$3 == "main" && ($2 == release || $2 == release "-updates" || $2 == release "-security") {
    print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " " $2 " " $3 }' >"$state/etc/sources.list.new"
[ -s "$state/etc/sources.list.new" ] || die "this machine's apt sources name no Debian '$release' main repository; add one to /etc/apt/sources.list"
mv "$state/etc/sources.list.new" "$state/etc/sources.list"

# On a terminal apt shows how much is fetched and how long the rest takes.
quiet=(-q)
[ ! -t 1 ] || quiet=()
options=("${quiet[@]}" -o "Dir::State=$state" -o "Dir::State::Lists=$state/lists" -o "Dir::State::status=$state/dpkg/status"
  -o "Dir::Cache=$state/cache" -o "Dir::Etc::sourcelist=$state/etc/sources.list" -o "Dir::Etc::sourceparts=$state/etc/sources.d"
  -o "Dir::Etc::preferencesparts=$state/etc/preferences.d"
  -o "APT::Architecture=${architecture:-armhf}" -o "APT::Architectures=${architecture:-armhf}" -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=)
apt_get() { apt-get "${options[@]}" "$@"; }
apt_cache() { apt-cache "${options[@]}" "$@"; }

# One repository whose index is just being replaced does not matter when the others have all that is
# needed.
apt_update() { apt_get update || echo "$(basename "$0" .sh): continuing with the package indexes that are there" >&2; }

# again_and_again FUNCTION: until it succeeds, with growing pauses and fresh indexes; FETCH_ATTEMPTS
# times at most.
again_and_again() {
  local attempt attempts=${FETCH_ATTEMPTS:-6} pause=5
  for attempt in $(seq "$attempts"); do
    if "$1"; then return; fi
    [ "$attempt" -lt "$attempts" ] || die "could not fetch the guest's packages; see apt-get's messages above (is the network there?)"
    # A mirror that is being updated serves an index that does not match its files for a while.
    echo "$(basename "$0" .sh): attempt $attempt failed; again in $pause s" >&2
    rm -rf "$state"/lists/* && mkdir -p "$state/lists/partial"
    sleep $pause
    pause=$((pause * 2))
  done
}
