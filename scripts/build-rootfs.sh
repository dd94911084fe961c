#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds a Debian armhf root image (ext4) from Debian's packages: what the programs of the
# experiments need. An IMAGE whose name ends in .tar is an archive of the same programs of amd64,
# without compilers, for `make count`.
#
# No loop mounts, no root, no ARM code run: apt's resolver (scripts/private-apt.sh) finds and
# verifies the packages, they are unpacked in order, and `mke2fs -d` makes the file system.
# Maintainer scripts do not run: no program here needs them.
# usage: build-rootfs.sh IMAGE STATE_FOLDER
# environment: ROOTFS_SIZE (1G, sparse), PACKAGES (more packages)
set -euo pipefail
usage="usage: build-rootfs.sh IMAGE STATE_FOLDER"
image=${1:?$usage}
state=${2:?$usage}
here=$(cd "$(dirname "$0")" && pwd)

die() { echo "build-rootfs: $*" >&2; exit 1; }
mke2fs=$(PATH=$PATH:/usr/sbin:/sbin command -v mke2fs) || die "mke2fs is missing: install e2fsprogs"

case $image in *.tar) native=1 architecture=amd64 ;; *) native= ;; esac
mkdir -p "$state" "$(dirname "$image")"
state=$(cd "$state" && pwd)
. "$here/private-apt.sh"

packages=(dash busybox-static coreutils diffutils bzip2 sqlite3 python3-minimal python3 ${PACKAGES:-})
[ "$native" ] || packages+=(gcc libc6-dev openssl)
fetch() {
  apt_update
  # With an empty dpkg status everything that they depend on is missing, and so is listed and
  # fetched. What is in the cache already would not be listed: so the list is made with an empty
  # one.
  mkdir -p "$state/empty/partial"
  apt_get install -y --no-install-recommends --print-uris -o "Dir::Cache::archives=$state/empty" "${packages[@]}" >"$state/uris" || return 1
  apt_get install -y --no-install-recommends --download-only "${packages[@]}"
}
again_and_again fetch

tree=$(mktemp -d "$state/root.XXXXXX")
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
# /usr is merged, as in every Debian 12 system; packages still name files in /bin and /lib.
mkdir -p "$tree"/usr/{bin,sbin,lib}
for folder in bin sbin lib; do ln -s "usr/$folder" "$tree/$folder"; done
# Lines of --print-uris: 'URI' FILE SIZE HASH
count=0
while read -r _ file _; do
  archive=$state/cache/archives/$file
  [ -s "$archive" ] || die "apt-get did not leave $file in its cache"
  dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$tree" --keep-directory-symlink --no-same-owner --exclude=./usr/share/doc --exclude=./usr/share/man \
    --exclude=./usr/share/locale
  count=$((count + 1))
done < <(grep "^'" "$state/uris")
[ $count -gt 0 ] || die "apt-get named no packages"
[ -e "$tree/usr/bin/sh" ] || ln -s dash "$tree/usr/bin/sh"
mkdir -p "$tree"/{proc,sys,dev,tmp,etc,root}
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
install -D -m 755 "$here/experiments/programs.sh" "$tree/experiments/programs"
"$here/experiments/make-inputs.py" "$tree/experiments"
# /usr/bin/awk is an alternative, which a maintainer script would make; busybox has one.
[ -e "$tree/usr/bin/awk" ] || ln -s busybox "$tree/usr/bin/awk"
programs=(bzip2 sqlite3 python3 date cmp dash busybox awk)
[ "$native" ] || programs+=(gcc as ld nm openssl)
for program in "${programs[@]}"; do
  [ -e "$tree/usr/bin/$program" ] || [ -L "$tree/usr/bin/$program" ] || die "the packages hold no $program"
done
rm -f "$image.new"
if [ "$native" ]; then
  tar -C "$tree" --owner=0 --group=0 --sort=name --mtime=@0 -cf "$image.new" .
  mv "$image.new" "$image"
  echo "build-rootfs: $count packages, $(du -h "$image" | cut -f 1) in $image"
  exit
fi
find "$tree/usr/lib/gcc" -name cc1 | grep -q . || die "the gcc package holds no cc1"

truncate -s "${ROOTFS_SIZE:-1G}" "$image.new"
# Never written by the guest, so without a journal.
"$mke2fs" -q -t ext4 -O ^has_journal -E root_owner=0:0 -m 0 -L crosswalk-root -d "$tree" "$image.new" || die "mke2fs failed (is ROOTFS_SIZE too small?)"
mv "$image.new" "$image"
echo "build-rootfs: $count packages, $(du -h "$image" | cut -f 1) in $image"
