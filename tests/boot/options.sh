#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad options: one line on stderr that says what and what to do, nothing on stdout, exit status 2.
# Needs: crosswalk bare
set -u
. tests/boot/lib.sh
kernel=$guest/bare/hello.bin
printf 'x' >"$scratch/file"

# refused NAME PATTERN ARGUMENTS…: PATTERN must be in the line
refused() {
  local name=options/$1 pattern=$2
  shift 2
  status=0
  timeout -s KILL "$(limit 30)" "$crosswalk" "$@" </dev/null >"$scratch/text" 2>"$scratch/err" || status=$?
  if [ "$status" != 2 ]; then not_ok "$name" "exit status $status, expected 2; $(said)"
  elif [ -s "$scratch/text" ]; then not_ok "$name" "prints on stdout: $(said)"
  elif [ "$(wc -l <"$scratch/err")" != 1 ]; then not_ok "$name" "not one line on stderr: $(said 5)"
  elif ! grep -qi -- "$pattern" "$scratch/err"; then not_ok "$name" "does not mention '$pattern': $(said)"
  else ok "$name"; fi
}

refused no-command '' 
refused unknown-command 'frobnicate' frobnicate
refused unknown-option 'frobnicate' run --kernel "$kernel" --frobnicate
refused no-kernel 'kernel' run
refused stray-argument "'vmlinuz'" run --kernel "$kernel" vmlinuz
refused stray-argument-of-info "'all'" info all
refused missing-kernel 'nonexistent' run --kernel /nonexistent/vmlinuz
refused directory-kernel 'directory' run --kernel /tmp
refused missing-initrd 'nonexistent' run --kernel "$kernel" --initrd /nonexistent/initrd
refused directory-initrd 'directory' run --kernel "$kernel" --initrd /tmp
refused missing-dtb 'nonexistent' run --kernel "$kernel" --dtb /nonexistent/dtb
refused directory-dtb 'directory' run --kernel "$kernel" --dtb /tmp
refused missing-disk 'nonexistent' run --kernel "$kernel" --disk /nonexistent/disk
refused directory-disk 'directory' run --kernel "$kernel" --disk /tmp
refused disk-option 'readwrong' run --kernel "$kernel" --disk "$scratch/file,readwrong"
refused disk-format 'qemu-img convert' run --kernel "$kernel" --disk "$scratch/file,format=qcow2"
printf 'QFI\373\0\0\0\3' >"$scratch/image"
truncate -s 64K "$scratch/image"
refused disk-qcow2 "qemu-img convert -O raw $scratch/image" run --kernel "$kernel" --disk "$scratch/image"
gzip -c "$kernel" >"$scratch/image"
refused disk-gzip "gzip -dc $scratch/image" run --kernel "$kernel" --disk "$scratch/image,readonly"
refused disk-twice "$scratch/file" run --kernel "$kernel" --disk "$scratch/file" --disk "$scratch/file"
refused semihosting-files-missing 'nonexistent' run --kernel "$kernel" --semihosting-files /nonexistent
refused semihosting-files-file 'not a directory' run --kernel "$kernel" --semihosting-files "$scratch/file"
refused unknown-net 'none, user' run --kernel "$kernel" --net bridge
refused net-forward '127.0.0.1:2222-:22' run --kernel "$kernel" --net user,hostfwd=22
refused unknown-console 'pl011, virtio' run --kernel "$kernel" --console vga
refused memory-0 'memory' run --kernel "$kernel" --memory 0
refused memory-1T 'memory' run --kernel "$kernel" --memory 1T
refused memory-negative 'memory' run --kernel "$kernel" --memory=-1G
refused memory-rubbish 'memory' run --kernel "$kernel" --memory lots
refused memory-tiny 'memory' run --kernel "$kernel" --memory 1K
refused unknown-mode 'turbo' run --kernel "$kernel" --mmu turbo
refused unknown-sandbox 'perhaps' run --kernel "$kernel" --sandbox perhaps
refused unknown-world 'moon' run --kernel "$kernel" --world moon
refused bad-soft-tlb-entries '1000' run --kernel "$kernel" --soft-tlb-entries 1000
refused bad-largest-entry '3M' run --kernel "$kernel" --largest-entry 3M
refused unknown-flush 'sometimes' run --kernel "$kernel" --flush sometimes
refused unknown-fault-delivery 'upcall' run --kernel "$kernel" --mmu shadow --fault-delivery upcall
refused unknown-window-flush 'never' run --kernel "$kernel" --mmu shadow --window-flush never
refused window-flush-outside-kvm 'world kvm' run --kernel "$kernel" --mmu mmap --window-flush gate
refused unknown-mmu-of-bench 'never' bench --mmu shadow:never
refused unknown-cpu 'cortex-z9' run --kernel "$kernel" --cpu cortex-z9
refused timeout-rubbish 'timeout' run --kernel "$kernel" --timeout soon
refused stats-file-directory 'nonexistent' run --kernel "$kernel" --stats-json /nonexistent/stats.json
refused trace-file-directory 'nonexistent' run --kernel "$kernel" --trace /nonexistent/trace.json
refused trace-events-few 'trace-events' run --kernel "$kernel" --trace "$scratch/file" --trace-events 10
refused trace-events-rubbish 'trace-events' run --kernel "$kernel" --trace "$scratch/file" --trace-events=-5
refused symbols-missing 'nonexistent' run --kernel "$kernel" --perf-map --symbols /nonexistent/System.map
refused symbols-rubbish 'System.map' run --kernel "$kernel" --perf-map --symbols "$scratch/file"
refused symbols-rubbish-alone 'System.map' run --kernel "$kernel" --symbols "$scratch/file"
refused mode-needs-kvm-world 'world' run --kernel "$kernel" --mmu shadow --world process
refused dump-dtb-directory 'nonexistent' run --kernel "$kernel" --dump-dtb /nonexistent/dtb
refused qemu-bios '--bios: u-boot.bin: No such file' run -M virt -bios u-boot.bin
refused qemu-mtdblock '-mtdblock.*--pflash FILE' run -M virt -mtdblock flash.img
refused qemu-machine "raspi2b.*QEMU's virt" run -M raspi2b -kernel "$kernel"
refused share-tag 'DIR,TAG' run --kernel "$kernel" --share /tmp
refused qemu-fsdev '--share' run -M virt -fsdev local,id=f,path=/tmp,security_model=none -kernel "$kernel"
refused qemu-nic '--net' run -M virt -nographic -nic user,smb=/tmp -kernel "$kernel"
refused bench-mode 'turbo' bench --mmu turbo
refused bench-baseline 'bochs' bench --baseline bochs
refused bench-workload 'no_such' bench --workloads no_such

# Help is on stdout, with status 0, and has a sentence for each option of `run`.
for option in kernel initrd append dtb memory cpu disk net console semihosting semihosting-files mmu world flush stats stats-json stats-by-asid count-instructions trace trace-events perf-map symbols sandbox timeout dump-dtb; do
  if "$crosswalk" run --help 2>/dev/null | grep -q -- "--$option\b.*\|--$option"; then ok "options/help-$option"
  else not_ok "options/help-$option" "'run --help' does not list --$option"; fi
done
if "$crosswalk" --version >"$scratch/text" 2>"$scratch/err" && grep -qE '^crosswalk [0-9.]+$' "$scratch/text" &&
  grep -qE '^commit ([0-9a-f]{12}[+]?|unknown)$' "$scratch/text" && grep -qE '^built by (GCC|Clang) [0-9]' "$scratch/text"; then ok options/version
else not_ok options/version "$(said 5)"; fi

# A command line of QEMU's starts the guest.
guest_run -M virt -cpu max -m 128 -smp 1 -nographic -no-reboot -serial mon:stdio -nic none -semihosting \
  -drive "file=$scratch/file,format=raw,if=virtio,readonly=on" -kernel "$kernel" --timeout "$(limit 60)"
if [ "$(cat "$scratch/text")" = "hello from bare metal" ]; then expect_status options/qemu 42
else not_ok options/qemu "printed: $(said)"; fi

# --dump-dtb: the tree of these options, and no run.
if "$crosswalk" run --kernel "$kernel" --smp 3 --memory 64M --append 'a=b c' --dump-dtb "$scratch/tree" </dev/null >"$scratch/text" 2>"$scratch/err" &&
  dtc -q -I dtb -O dts "$scratch/tree" >"$scratch/source" 2>>"$scratch/err" && [ ! -s "$scratch/text" ] &&
  [ "$(grep -c 'cpu@[0-9] {' "$scratch/source")" = 3 ] && grep -q 'bootargs = "a=b c"' "$scratch/source" &&
  grep -q 'reg = <0x00 0x40000000 0x00 0x4000000>' "$scratch/source"; then ok options/dump-dtb
else not_ok options/dump-dtb "$(said 5)"; fi
if "$crosswalk" run --kernel "$kernel" --dump-dtb - </dev/null 2>"$scratch/err" | dtc -q -I dtb -O dts >"$scratch/text" 2>>"$scratch/err"; then ok options/dump-dtb-stdout
else not_ok options/dump-dtb-stdout "$(said 5)"; fi
if "$crosswalk" info >"$scratch/text" 2>"$scratch/err" && grep -qi kvm "$scratch/text"; then ok options/info
else not_ok options/info "$(said)"; fi
if "$crosswalk" info --json 2>"$scratch/err" | python3 -m json.tool >"$scratch/text" 2>>"$scratch/err"; then ok options/info-json
else not_ok options/info-json "not JSON: $(said)"; fi
"$crosswalk" run --kernel "$kernel" --timeout 2 --stats-json "$scratch/stats.json" </dev/null >"$scratch/text" 2>"$scratch/err"
# Behind what the guest prints.
"$crosswalk" run --kernel "$kernel" --timeout 1 --memory 64 --stats-json - </dev/null >"$scratch/text" 2>"$scratch/err"
if [ ! -e - ] && python3 -c 'import json, sys; assert json.load(sys.stdin)["run"]["mmu"]' < <(sed -n '/^{$/,$p' "$scratch/text") 2>>"$scratch/err"; then ok options/stats-json-stdout
else not_ok options/stats-json-stdout "no JSON on stdout: $(said)"; fi
if python3 -m json.tool <"$scratch/stats.json" >/dev/null 2>>"$scratch/err"; then ok options/stats-json
else not_ok options/stats-json "no JSON in --stats-json: $(said)"; fi
