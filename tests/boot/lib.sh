# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the system tests. Each test prints one line `ok NAME`, `not ok NAME: why` or `skipped
# NAME: why`; scripts/check.sh counts them. Environment: BUILD, GUEST, CROSSWALK (the program under
# test), MODES, KERNELS, REPEAT.
build=${BUILD:-build}
guest=${GUEST:-build/guest}
crosswalk=${CROSSWALK:-$build/crosswalk}
# Words of bench's --mmu; mode_options makes options of run of one.
modes=${MODES:-$(scripts/modes.sh | grep -v '^flat$' | tr '\n' ' ')}
# Hybrid over each provider; over none if MODES says what to test.
hybrids=
if [ -z "${MODES:-}" ]; then hybrids=$(scripts/modes.sh --providers | sed 's/^/hybrid+windows=/' | tr '\n' ' '); fi
. scripts/limits.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; }
skipped() { echo "skipped $1: $2"; }

# mode_options MODE: the options of run, one a word. hybrid+windows=ept: --mmu hybrid --windows=ept
mode_options() { echo "--mmu $(sed 's/+/ --/g' <<<"$1")"; }

# Prints why a mode cannot run on this host; nothing when it can.
mode_problem() {
  case $1 in
    *shadow | *ept)
      if [ ! -e /dev/kvm ]; then echo "no /dev/kvm"
      elif ! (exec 3<>/dev/kvm) 2>/dev/null; then echo "cannot open /dev/kvm"
      fi ;;
    *kmod)
      if [ ! -e /dev/crosswalk ]; then echo "no /dev/crosswalk: the kernel module is not loaded"
      elif ! (exec 3<>/dev/crosswalk) 2>/dev/null; then echo "cannot open /dev/crosswalk"
      fi ;;
  esac
}

# in_parallel FUNCTION ARGUMENTS…: runs it in the background with a scratch folder of its own, at
# most JOBS (one per core) at a time. `wait` waits for the rest.
in_parallel() {
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do wait -n || true; done
  (
    trap - EXIT
    scratch=$scratch/$BASHPID
    mkdir "$scratch"
    "$@"
  ) &
}

# guest_run STATUS_FILE_PREFIX ARGUMENTS…: runs a guest; its output is in $scratch/out and err, its
# status in $status. The outer time limit is only for a Crosswalk that ignores --timeout: it shows
# as status 137.
guest_run() {
  status=0
  timeout -s KILL "$(limit "${LIMIT:-150}")" "$crosswalk" run "$@" </dev/null >"$scratch/out" 2>"$scratch/err" || status=$?
  tr -d '\r' <"$scratch/out" >"$scratch/text"
}

# The last lines that a failed run printed, on one line.
said() { tail -n "${1:-2}" "$scratch/text" "$scratch/err" 2>/dev/null | tr '\n' ' ' | tr -d '\000' | head -c 400; }

# expect_status NAME STATUS…: one of these is right.
expect_status() {
  local name=$1 wanted
  shift
  for wanted in "$@"; do
    if [ "$status" = "$wanted" ]; then ok "$name"; return 0; fi
  done
  not_ok "$name" "exit status $status, expected $*; $(said)"
  return 1
}
