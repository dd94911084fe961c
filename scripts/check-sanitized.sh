#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check-sanitized.sh KIND [reduced]: tests and boots in the build with sanitizers of KIND: address
# (AddressSanitizer and UndefinedBehaviorSanitizer) or thread (ThreadSanitizer). reduced is the part
# that `make check` runs. What a sanitizer reports is a failure. Prints a line for each test;
# without `reduced` one that counts them too.
#
# Left out: the kvm world. In it the engine's memory is reached through page tables that cover parts
# of this process, of which a sanitizer's shadow memory is none.
set -u
cd "$(dirname "$0")/.."
kind=$1 amount=${2:-full}
case $kind-$amount in
  address-*) folder=asan ;;
  thread-reduced) folder=tsan-vmm ;;
  thread-*) folder=tsan ;;
esac
sanitized=${BUILD:-build}/$folder
. tests/boot/lib.sh
crosswalk=$sanitized/crosswalk
# SIGSEGV is the engine's in windows: allow_user_segv_handler lets its handler replace the
# sanitizer's.
export ASAN_OPTIONS=allow_user_segv_handler=1:detect_leaks=1:exitcode=99 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99
export TSAN_OPTIONS=exitcode=99:halt_on_error=0:second_deadlock_stack=1:suppressions=$PWD/scripts/tsan.suppressions
logs=${BUILD:-build}/check/$folder
mkdir -p "$logs"
results=$scratch/results
: >"$results"

# What a log says against its program.
findings() { grep -m 1 -hE 'runtime error|(Address|Leak|Thread|UndefinedBehavior)Sanitizer' "$1" | head -c 300; }

# tests PROGRAM FILTER
tests() {
  local log=$logs/$1.log status=0 name=sanitizers/$folder/$1
  "$sanitized/tests/$1" --gtest_color=no --gtest_filter="$2" </dev/null >"$log" 2>&1 || status=$?
  if [ -n "$(findings "$log")" ]; then not_ok "$name" "$(findings "$log"); all in $log"
  elif [ $status != 0 ]; then not_ok "$name" "status $status: $(grep -E '^\[  FAILED  \]' "$log" | head -n 3 | tr '\n' ' '); all in $log"
  else ok "$name ($(sed -n 's/^\[  PASSED  \] \([0-9]*\).*/\1/p' "$log") tests)"; fi
}

# bare MODE PROGRAM STATUS
bare() {
  local name=sanitizers/$folder/$1/$2
  guest_run --semihosting --mmu "$1" --kernel "$guest/bare/$2.elf" --disk "$scratch/disk" --timeout "$(limit 100)"
  cp "$scratch/err" "$logs/$1-$2.log"
  if [ -n "$(findings "$scratch/err")" ]; then not_ok "$name" "$(findings "$scratch/err"); all in $logs/$1-$2.log"
  else expect_status "$name" "$3"; fi
}

# linux MODE: the whole of Debian's kernel, and the commands of the other tests.
linux() {
  local name=sanitizers/$folder/$1/linux log=$logs/$1-linux.log status=0
  CROSSWALK=$crosswalk KERNEL=armmp MMU=$1 TIMEOUT="$(limit 1500)" CMD='sh /commands.sh' scripts/boot.sh </dev/null >"$log" 2>&1 || status=$?
  tr -d '\r' <"$log" | sed -n '/^commands: begin$/,/^commands: end$/p' >"$scratch/commands"
  if [ -n "$(findings "$log")" ]; then not_ok "$name" "$(findings "$log"); all in $log"
  elif [ $status != 0 ]; then not_ok "$name" "status $status; all in $log"
  elif ! cmp -s tests/guests/commands.expected "$scratch/commands"; then not_ok "$name" "other output than expected; all in $log"
  else ok "$name"; fi
}

printf 'crosswalk disk' >"$scratch/disk"
truncate -s 1M "$scratch/disk"
LIMIT=400
modes=soft
[ $kind = thread ] || modes='soft mmap'
{
  if [ "$amount" = reduced ]; then
    for part in app base devices machine net share; do tests vmm-$part '*'; done
    if [ $kind = thread ]; then
      tests mmu-shadow-threads '*'
      tests translator-engine-threads '*'
    fi
    # The torture test takes minutes here.
    # Hybrid judges by time, which a sanitizer stretches.
    [ $kind = thread ] || tests mmu-shadow '-Torture*:Hybrid.*'
    for mode in $modes; do
      bare "$mode" hello 42
      bare "$mode" bad_tables 0
      bare "$mode" bad_dma 0
    done
  else
    for program in "$sanitized"/tests/*; do
      case $program in */vmm-world | */vmm-host) ;; *) tests "$(basename "$program")" '-*Shadow*:*shadow*:*Ept*:*ept*:*Kvm*:*kvm*' ;; esac
    done
    for mode in $modes; do
      for program in "$guest"/bare/bad_*.elf; do
        case $program in */bad_hang.elf) ;; *) bare "$mode" "$(basename "$program" .elf)" 0 ;; esac
      done
      bare "$mode" hello 42
      linux "$mode"
    done
  fi
} | tee "$results"
[ "$amount" = reduced ] || echo "$(grep -c '^ok ' "$results") passed, $(grep -c '^not ok ' "$results") failed"
! grep -q '^not ok ' "$results"
