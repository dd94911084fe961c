#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the Debian system that `make boot ROOT=1` boots: IMAGE, an ext4 file system with systemd,
# bash, apt and openssh-server, for armhf.
#
# No root and no loop mounts: apt's resolver (scripts/private-apt.sh) finds and verifies the
# packages; the essential ones are unpacked here and become a file system (`mke2fs -d`); dpkg
# installs and configures all of them inside a guest of Crosswalk, where it is root
# (scripts/debian/second-stage).
# usage: build.sh IMAGE STATE_FOLDER
# environment: DEBIAN_SIZE (4G, sparse), PACKAGES (more packages), BUILD, GUEST
set -euo pipefail
usage="usage: build.sh IMAGE STATE_FOLDER"
image=${1:?$usage}
state=${2:?$usage}
here=$(cd "$(dirname "$0")/.." && pwd)
export BUILD=${BUILD:-build} GUEST=${GUEST:-build/guest}

die() { echo "build-debian: $*" >&2; exit 1; }
mke2fs=$(PATH=$PATH:/usr/sbin:/sbin command -v mke2fs) || die "mke2fs is missing: install e2fsprogs"
mkdir -p "$state" "$(dirname "$image")"
state=$(cd "$state" && pwd)
. "$here/private-apt.sh"

packages=(systemd systemd-sysv systemd-resolved udev dbus libpam-systemd mount e2fsprogs kmod apt iproute2 iputils-ping netbase procps less nano openssh-server ${PACKAGES:-})
# With an empty dpkg status and an empty cache, everything that is needed is listed.
list() { apt_get install -y --no-install-recommends --print-uris -o "Dir::Cache::archives=$state/empty" "$@"; }
fetch() {
  apt_update
  mkdir -p "$state/empty/partial"
  list '?essential' >"$state/essential" || return 1
  list '?essential' "${packages[@]}" >"$state/uris" || return 1
  apt_get install -y --no-install-recommends --download-only '?essential' "${packages[@]}"
}
again_and_again fetch

tree=$(mktemp -d "$state/root.XXXXXX") debs=$(mktemp -d "$state/debs.XXXXXX")
trap 'rm -rf "$tree" "$debs" "$image.new" "$state/debs.ext4"' EXIT
chmod 755 "$tree"
# /usr is merged, as in every Debian 12 system.
mkdir -p "$tree"/usr/{bin,sbin,lib} "$tree"/{proc,sys,dev,run,tmp,debs}
for folder in bin sbin lib; do ln -s "usr/$folder" "$tree/$folder"; done
# archives LIST: the files of --print-uris' lines: 'URI' FILE SIZE HASH
archives() { sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p" "$1"; }
for archive in $(archives "$state/essential"); do
  dpkg-deb --fsys-tarfile "$state/cache/archives/$archive" | tar -x -C "$tree" --keep-directory-symlink --no-same-owner
done
install -D -m 755 "$here/debian/second-stage" "$tree/second-stage"
for archive in $(archives "$state/uris"); do ln "$state/cache/archives/$archive" "$debs/"; done

truncate -s "${DEBIAN_SIZE:-4G}" "$image.new"
"$mke2fs" -q -t ext4 -E root_owner=0:0 -L debian -d "$tree" "$image.new" || die "mke2fs failed (is DEBIAN_SIZE too small?)"
truncate -s $(($(du -sm "$debs" | cut -f 1) * 5 / 4 + 16))M "$state/debs.ext4"
"$mke2fs" -q -t ext4 -O ^has_journal -m 0 -d "$debs" "$state/debs.ext4"

cat >"$state/command" <<'END'
load-ext4 && mkdir /mnt && mount -t ext4 /dev/vda /mnt && chown -R 0:0 /mnt && mount -t ext4 -o ro /dev/vdb /mnt/debs || exit 1
mount -t proc proc /mnt/proc && mount -t sysfs sysfs /mnt/sys && mount -t devtmpfs devtmpfs /mnt/dev || exit 1
mkdir -p /mnt/dev/pts && mount -t devpts devpts /mnt/dev/pts || exit 1
chroot /mnt /second-stage || exit 1
umount /mnt/dev/pts && umount /mnt/dev && umount /mnt/sys && umount /mnt/proc && umount /mnt/debs && rm -r /mnt/debs /mnt/second-stage && umount /mnt && echo "second-stage: the end"
END
"$here/make-initramfs.py" "$state/command.cpio.gz" "file:command:644:$state/command"
cat "$GUEST/initrd-armmp.gz" "$state/command.cpio.gz" >"$state/initrd.gz"
echo "build-debian: $(archives "$state/uris" | wc -l) packages; a guest installs them, which takes some minutes"
"$BUILD/crosswalk" run --kernel "$GUEST/armmp/vmlinuz" --initrd "$state/initrd.gz" --append 'console=ttyAMA0 quiet' --memory 1G \
  --disk "$image.new,format=raw" --disk "$state/debs.ext4,readonly,format=raw" </dev/null 2>&1 | sed -u 's,\r,,' >"$state/second-stage.log" || true
grep -q '^second-stage: the end' "$state/second-stage.log" || {
  tail -n 30 "$state/second-stage.log" >&2
  die "the guest has not installed the packages; its output is in $state/second-stage.log"
}
mv "$image.new" "$image"
echo "build-debian: $(du -h "$image" | cut -f 1) in $image"
