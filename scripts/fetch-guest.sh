#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches Debian's ARM kernels, initrd and busybox from Debian's own packages into build/guest/.
#
# The machine's own package sources and keys are used, but with a private apt state under build/guest/apt, so that
# neither the machine's dpkg architectures nor its package lists change. Everything is verified by apt's signatures.
# usage: fetch-guest.sh DIRECTORY
set -euo pipefail
directory=${1:?usage: fetch-guest.sh DIRECTORY}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
state=$directory/apt

die() { echo "fetch-guest: $*" >&2; exit 1; }

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

options=(-q -o "Dir::State=$state" -o "Dir::State::Lists=$state/lists" -o "Dir::State::status=$state/dpkg/status"
  -o "Dir::Cache=$state/cache" -o "Dir::Etc::sourcelist=$state/etc/sources.list" -o "Dir::Etc::sourceparts=$state/etc/sources.d"
  -o "Dir::Etc::preferencesparts=$state/etc/preferences.d"
  -o APT::Architecture=armhf -o APT::Architectures=armhf -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=)
apt_get() { apt-get "${options[@]}" "$@"; }
apt_cache() { apt-cache "${options[@]}" "$@"; }

# linux-image-armmp depends on the current versioned package.
kernel_package() { apt_cache depends "linux-image-$1" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }'; }

fetch() {
  rm -f "$state"/packages/*.deb
  # One repository whose index is just being replaced does not matter when the others have all that is needed.
  apt_get update || echo "fetch-guest: continuing with the package indexes that are there" >&2
  local armmp lpae
  armmp=$(kernel_package armmp) && lpae=$(kernel_package armmp-lpae) || return 1
  [ -n "$armmp" ] && [ -n "$lpae" ] || return 1
  echo "$armmp" >"$state/armmp" && echo "$lpae" >"$state/armmp-lpae"
  (cd "$state/packages" && apt_get download busybox-static debian-installer-12-netboot-armhf "$armmp" "$lpae")
}

pause=5
for attempt in 1 2 3 4 5 6; do
  if fetch; then break; fi
  [ $attempt -lt 6 ] || die "could not fetch the guest's packages; see apt-get's messages above (is the network there?)"
  # A mirror that is being updated serves an index that does not match its files for a while.
  echo "fetch-guest: attempt $attempt failed; again in $pause s" >&2
  rm -rf "$state"/lists/* && mkdir -p "$state/lists/partial"
  sleep $pause
  pause=$((pause * 2))
done

# unpack PATTERN DESTINATION [FILE...]: what the package holds, or only some files of it
unpack() {
  local package destination=$2
  package=$(echo "$state"/packages/$1)
  shift 2
  mkdir -p "$destination"
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$destination" --wildcards "$@"
}

rm -rf "$state/unpacked"
unpack 'busybox-static_*.deb' "$state/unpacked/busybox"
install -m 755 "$state/unpacked/busybox/bin/busybox" "$directory/busybox"

unpack 'debian-installer-12-netboot-armhf_*.deb' "$state/unpacked/installer" '*/vmlinuz' '*/initrd.gz'
mkdir -p "$directory/installer"
find "$state/unpacked/installer" -name vmlinuz -exec install -m 644 {} "$directory/installer/vmlinuz" \;
find "$state/unpacked/installer" -name initrd.gz -exec install -m 644 {} "$directory/installer/initrd.gz" \;
[ -s "$directory/installer/vmlinuz" ] && [ -s "$directory/installer/initrd.gz" ] || die "the installer package holds no vmlinuz or initrd.gz"

for flavour in armmp armmp-lpae; do
  package=$(cat "$state/$flavour")
  version=${package#linux-image-}
  tree=$state/unpacked/$flavour
  unpack "${package}_*.deb" "$tree" "./boot/vmlinuz-$version" "./boot/config-$version" "./lib/modules/$version/*"
  mkdir -p "$directory/$flavour/modules"
  install -m 644 "$tree/boot/vmlinuz-$version" "$directory/$flavour/vmlinuz"
  install -m 644 "$tree/boot/config-$version" "$directory/$flavour/config"
  echo "$version" >"$directory/$flavour/version"
  # The modules that /init loads, in order of dependency; those built into the kernel are not there.
  : >"$directory/$flavour/modules/order"
  for module in virtio virtio_ring virtio_mmio virtio_blk rng-core virtio-rng virtio_console \
      crc16 crc32c_generic mbcache jbd2 ext4; do
    path=$(find "$tree/lib/modules/$version" -name "$module.ko*" | head -1)
    [ -n "$path" ] || continue
    case $path in *.xz) xz -dc "$path" ;; *) cat "$path" ;; esac >"$directory/$flavour/modules/$module.ko"
    echo "$module" >>"$directory/$flavour/modules/order"
  done
done
rm -rf "$state/unpacked"
echo "fetch-guest: $(cat "$directory/armmp/version"), $(cat "$directory/armmp-lpae/version") and the installer are in $directory"
