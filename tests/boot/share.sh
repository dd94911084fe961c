#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A shared folder with Debian's kernel in some modes: a tree packed and unpacked by the guest,
# random operations on a file; then a larger tree with two CPUs, renames by the host meanwhile, a
# folder that is read-only, and files that a guest could harm the host by.
# Needs: crosswalk share bare
# Takes: 70
set -u
. tests/boot/lib.sh

# guest NAME KERNEL OPTIONS…: runs the script $scratch/shared/test.sh in a guest with that folder.
guest() {
  local name=$1 kernel=$2
  shift 2
  LIMIT=200 guest_run --kernel "$guest/$kernel/vmlinuz" --initrd "$guest/share/initrd-$kernel.gz" --share "$scratch/shared,share" \
    --append "console=ttyAMA0 quiet -- share && sh /share/test.sh && echo all well" --timeout "$(limit 150)" "$@"
  if [ "$status" = 0 ] && grep -q '^all well' "$scratch/text"; then return 0; fi
  not_ok "$name" "exit status $status; $(said 6)"
  return 1
}

# make_tree FOLDERS…: copies them to shared/tree, with links and names that are awkward.
make_tree() {
  mkdir -p "$scratch/shared/tree"
  cp -r "$@" "$scratch/shared/tree"
  cd "$scratch/shared/tree" || exit 1
  mkdir -p empty 'a name with spaces'/deep/deeper/deepest
  ln -s ../docs symlink
  ln -s /nonexistent/target dangling
  echo one >'a name with spaces/one' && ln 'a name with spaces/one' hardlink
  echo two >"$(printf 'x%.0s' $(seq 255))" && echo three >$'n\303\266t \\ascii' && : >nothing
  chmod 640 hardlink && chmod 500 nothing && chmod 1777 empty
  touch -d '2001-02-03 04:05:06' hardlink
  cd - >/dev/null || exit 1
}
# What of a tree has to be the same.
listing() { (cd "$1" && find . \( -type f -printf '%p %m %n %s %T@\n' \) -o -printf '%p %y %m %l\n' | sed 's/\.[0-9]*$//' | sort); }
same_tree() { # NAME TREE COPY
  if ! diff -r --no-dereference "$2" "$3" >"$scratch/text" 2>"$scratch/err"; then not_ok "$1" "other contents: $(said)"
  elif ! diff <(listing "$2") <(listing "$3") >"$scratch/text"; then not_ok "$1" "other attributes: $(said 4)"
  else ok "$1 ($(find "$3" | wc -l) files)"; fi
}

in_mode() {
  local mode=$1
  make_tree tests/guests docs
  cat >"$scratch/shared/test.sh" <<'SCRIPT'
cd /share && tar -cf tree.tar tree && mkdir out && tar -xf tree.tar -C out && fsx file 2
SCRIPT
  # shellcheck disable=SC2046
  if guest "share/$mode" armmp $(mode_options "$mode"); then same_tree "share/$mode" "$scratch/shared/tree" "$scratch/shared/out/tree"; fi
}
# The device is the same in each mode; what differs is how fast the guest is, and who waits.
for mode in $modes; do
  case $mode in soft | hybrid | shadow | kmod) ;; *) continue ;; esac
  problem=$(mode_problem "$mode")
  if [ -n "$problem" ]; then skipped "share/$mode" "$problem"; continue; fi
  in_parallel in_mode "$mode"
done
wait

# ---- more files, while the host renames some ----
make_tree docs vmm translator mmu-shadow tests scripts
mkdir -p "$scratch/shared/race/a" "$scratch/outside" "$scratch/fixed/folder"
echo inside >"$scratch/shared/race/a/file"
echo secret >"$scratch/outside/file"
ln -s "$scratch/outside" "$scratch/shared/race/link"
ln -s "$scratch/outside/file" "$scratch/shared/leads-out"
echo fixed >"$scratch/fixed/file"
cat >"$scratch/shared/test.sh" <<'SCRIPT'
fail() { echo "failed: $*"; exit 1; }
cd /share || exit 1
# What does not work at all: it has to say so.
mknod null c 1 3 2>/dev/null && fail "a device was made"
: >mode && chmod 4755 mode 2>/dev/null && fail "a file with set-user-ID was made"
cat leads-out race/link/file 2>/dev/null && fail "a link led out"
# A FIFO is the guest's.
mkfifo fifo && { echo through >fifo & } && [ "$(cat fifo)" = through ] || fail "no FIFO"
rm fifo
# Removed while it is open.
exec 3>removed && rm removed && echo text >&3 && exec 3>&- || fail "a removed file is not written"
[ ! -e removed ] || fail "a removed file is there"
echo one >old && mv old new && mv new race/ && [ "$(cat race/new)" = one ] || fail "no rename"
mkdir full && : >full/file && rmdir full 2>/dev/null && fail "a directory with a file was removed"
rm -r full
echo line >>race/new && [ "$(wc -l <race/new)" = 2 ] || fail "no append"

share fixed /fixed || fail "no second folder"
for command in 'echo x >/fixed/new' 'echo x >/fixed/file' 'rm /fixed/file' 'mkdir /fixed/new' 'rmdir /fixed/folder' \
  'mv /fixed/file /fixed/new' 'chmod 600 /fixed/file' 'ln -s x /fixed/new' 'ln /fixed/file /fixed/new' 'touch /fixed/file' 'mkfifo /fixed/new'; do
  error=$(eval "$command" 2>&1) && fail "done in a read-only folder: $command"
  case $error in *Read-only*) ;; *) fail "$command: $error" ;; esac
done
[ "$(cat /fixed/file)" = fixed ] || fail "a read-only folder is not read"

(
  seen=0
  while [ ! -e stop ]; do
    for folder in a b link; do
      text=$(cat race/$folder/file 2>/dev/null) || continue
      [ "$text" = inside ] || echo "read: $text" >>wrong
      seen=$((seen + 1))
    done
  done
  echo $seen >seen
) &
: >started
tar -cf - tree | tar -xf - -C /share/race || fail "no round trip"
: >stop
wait
sync
SCRIPT
(
  for _ in $(seq 3000); do [ -e "$scratch/shared/started" ] && break; sleep 0.05; done
  cd "$scratch/shared/race" || exit
  while [ ! -e ../stop ]; do
    mv a b && mv link a && mv a link && mv b a
    sleep 0.001
  done
) 2>/dev/null &
renames=$!
if guest share/tree armmp-lpae --smp 2 --share "$scratch/fixed,fixed,readonly"; then
  same_tree share/tree "$scratch/shared/tree" "$scratch/shared/race/tree"
  if [ "$(cat "$scratch/shared/seen")" -gt 0 ] && [ ! -e "$scratch/shared/wrong" ]; then ok "share/renames ($(cat "$scratch/shared/seen") reads)"
  else not_ok share/renames "$(cat "$scratch/shared/seen") reads; $(head -n 3 "$scratch/shared/wrong" 2>&1)"; fi
  if [ "$(cat "$scratch/outside/file") $(ls "$scratch/outside" "$scratch/fixed" | tr '\n' ' ')" = "secret $scratch/fixed: file folder  $scratch/outside: file " ]; then ok share/outside
  else not_ok share/outside "other files are changed: $(ls -R "$scratch/outside" "$scratch/fixed" | tr '\n' ' ')"; fi
fi
: >"$scratch/shared/stop"
wait $renames

# ---- what cannot be shared ----
kernel=$guest/bare/hello.bin
# refused NAME PATTERN SHARE
refused() {
  guest_run --kernel "$kernel" --timeout 20 --share "$3"
  if [ "$status" = 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -- "$2" "$scratch/err"; then ok "share/$1"
  else not_ok "share/$1" "exit status $status, expected 2 and '$2': $(said)"; fi
}
refused no-folder 'No such file or directory; give the path of an existing directory' "$scratch/nothing,tag"
refused a-file 'is not a directory' "$kernel,tag"
mkdir "$scratch/limited"
(ulimit -n 60 && "$crosswalk" run --semihosting --kernel "$kernel" --share "$scratch/limited,tag" --timeout 20 >"$scratch/text" 2>"$scratch/err"
  [ $? = 42 ]) && ok share/few-descriptors || not_ok share/few-descriptors "$(said)"
