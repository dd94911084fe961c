#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the KVM tests on a KVM with nested paging that needs no hardware: QEMU's emulation of AMD SVM with NPT, running
# Debian's kernel with kvm-amd. For machines whose own KVM has a software MMU, or none. Slow: give a filter.
#
#   tests/vmm/kvm/nested-paging.sh BUILD_DIR KERNEL_DIR [GTEST_FILTER]
#
# KERNEL_DIR: a linux-image-*-amd64 package, unpacked (dpkg -x). Needs qemu-system-x86_64, busybox (static), cpio, and
# BUILD_DIR/tests/vmm-kvm built before.
set -eu
build=$1 kernel=$2 filter=${3:-*shadow:*ept:All/Worlds*kvm:Probe*}
vmlinuz=$(find "$kernel/boot" -name 'vmlinuz*' | head -n 1)
[ -n "$vmlinuz" ] || { echo "no boot/vmlinuz* in $kernel" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev"
# The linker's warning about getaddrinfo in static programs is about a part of GoogleTest that is not used.
g++ -static -o "$work/root/tests" "$build"/obj/tests/vmm/kvm/*.o -Wl,--start-group "$build/libvmm.a" \
  "$build/libmmu-shadow.a" "$build/libtranslator.a" -Wl,--end-group -lgtest -lgtest_main -pthread 2> "$work/link.log" ||
  { cat "$work/link.log" >&2; exit 2; }
cp "$(command -v busybox)" "$work/root/bin/busybox"
for module in irqbypass ccp kvm kvm-amd; do
  cp "$(find "$kernel/lib/modules" -name "$module.ko" | head -n 1)" "$work/root/"
done
cat > "$work/root/init" << END
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in irqbypass ccp kvm kvm-amd; do /bin/busybox insmod /\$module.ko; done
/tests --gtest_filter='$filter'
echo "exit status \$?"
/bin/busybox poweroff -f
END
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc 2> /dev/null | gzip -1) > "$work/initrd.gz"
qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt -m 3G -nographic -no-reboot -kernel "$vmlinuz" \
  -initrd "$work/initrd.gz" -append "console=ttyS0 quiet panic=-1" < /dev/null | tee "$work/log"
grep -q '^exit status 0' "$work/log"
