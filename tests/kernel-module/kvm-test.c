// SPDX-License-Identifier: GPL-2.0-or-later
// Windows as memory of a KVM VM: KVM makes its nested entries by the module's fault handler, and a
// flush takes them away. The VM is a CPU in real mode that loads or stores one word. Prints lines
// as module-test does.
#include <linux/kvm.h>

#include "tests/kernel-module/machine.h"

enum { kLoad = 0x1000, kStore = 0x1010, kPort = 0x10, kWindowGpa = 0x10000, kWindowBytes = 0x80000 };

static struct machine m;
static int vcpu;
static struct kvm_run* run;
static bool failed;

static void check(bool good, const char* what) {
  if (good) {
    printf("ok module/kvm/%s\n", what);
  } else {
    failed = true;
    printf("not ok module/kvm/%s: errno %d: %s; exit %u\n", what, errno, strerror(errno), run ? run->exit_reason : 0);
  }
}
static bool give_up(const char* what) {
  check(false, what);
  return false;
}

static bool start(const uint8_t* window) {
  const int kvm = open("/dev/kvm", O_RDWR);
  const int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return give_up("create-vm");
  uint8_t* low = mmap(NULL, kWindowGpa, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(low + kLoad, "\x8b\x04\xe7\x10\xf4", 5);   // mov ax, [si]; out 0x10, ax; hlt
  memcpy(low + kStore, "\x89\x04\xe7\x10\xf4", 5);  // mov [si], ax; out 0x10, ax; hlt
  const struct kvm_userspace_memory_region slots[] = {
      {.slot = 0, .memory_size = kWindowGpa, .userspace_addr = (uintptr_t)low},
      {.slot = 1, .guest_phys_addr = kWindowGpa, .memory_size = kWindowBytes, .userspace_addr = (uintptr_t)window}};
  for (int i = 0; i < 2; i++)
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slots[i])) return give_up("memory-slot");
  vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  return run != MAP_FAILED || give_up("vcpu");
}

// Executes the code at `rip` on the page of VA `va`. True: it came to its end, *value is AX.
static bool execute(uint64_t rip, uint32_t va, uint16_t* value) {
  struct kvm_sregs sregs;
  ioctl(vcpu, KVM_GET_SREGS, &sregs);
  sregs.cs.base = sregs.cs.selector = 0;
  sregs.ds.base = kWindowGpa + va;
  sregs.ds.selector = (uint16_t)(sregs.ds.base >> 4);
  const struct kvm_regs regs = {.rip = rip, .rax = *value, .rflags = 2};
  ioctl(vcpu, KVM_SET_SREGS, &sregs);
  ioctl(vcpu, KVM_SET_REGS, &regs);
  if (ioctl(vcpu, KVM_RUN, 0)) return false;
  if (run->exit_reason != KVM_EXIT_IO || run->io.port != kPort) return false;
  memcpy(value, (uint8_t*)run + run->io.data_offset, 2);
  return true;
}
static bool loads(uint32_t va, uint16_t wanted) {
  uint16_t value = 0;
  return execute(kLoad, va, &value) && value == wanted;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  catch_faults();
  if (!open_machine(&m)) return !give_up("open");
  for (uint32_t i = 0; i < 256; i++) write32(&m, DATA + i * PAGE, i);
  const struct cw_set_window w = short_window(0, L1(0), 1);
  uint8_t* window = map_window(&m, &w);
  if (!window || !start(window)) return 1;
  for (uint32_t i = 0; i < 64; i++) map_small(&m, L1(0), i * PAGE, (DATA + (63 - i) * PAGE) | SMALL);

  bool good = true;
  for (uint32_t i = 0; i < 64; i++) good = good && loads(i * PAGE, (uint16_t)(63 - i));
  check(good && m.statistics->entries >= 64, "nested-faults");
  const uint64_t faults = m.statistics->faults;
  for (uint32_t i = 0; i < 64; i++) good = good && loads(i * PAGE, (uint16_t)(63 - i));
  check(good && m.statistics->faults == faults, "nested-hits");
  uint16_t value = 0x1234;
  check(execute(kStore, 3 * PAGE, &value) && read32(&m, DATA + 60 * PAGE) == 0x1234, "store");

  struct cw_flush f;
  write32(&m, small_at(PAGE), (DATA + 200 * PAGE) | SMALL);
  check(loads(PAGE, 62), "stale-until-flush");
  flush(&m, 0, CW_FLUSH_VA, PAGE, &f);
  check(loads(PAGE, 200), "flush");
  write32(&m, small_at(PAGE), (DATA + 201 * PAGE) | SMALL);
  flush_eager(&m, 0, CW_FLUSH_ALL, 0, &f);
  check(loads(PAGE, 201) && f.rewritten == 1, "eager-flush");
  write32(&m, small_at(PAGE), 0);
  flush(&m, 0, CW_FLUSH_ALL, 0, &f);
  value = 0;
  check(!execute(kLoad, PAGE, &value) && errno == EFAULT, "guest-fault");
  check(loads(0, 63), "after-fault");

  // A store to a page with code: the entry is there, and read-only.
  const uint32_t page = (DATA - RAM_BASE) / PAGE + 63;
  uint32_t done;
  m.code[page / 8] |= (uint8_t)(1 << page % 8);
  list(&m, CW_PROTECT, CW_ALL_WINDOWS, &page, 1, &done);
  value = 7;
  const bool stored = execute(kStore, 0, &value);
  // KVM tries to emulate it: the entry is there.
  check(!stored && run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write && read32(&m, DATA + 63 * PAGE) == 63,
        "code");
  check(loads(0, 63), "code-loads");
  m.code[page / 8] = 0;
  flush(&m, 0, CW_FLUSH_VA, 0, &f);
  value = 7;
  check(execute(kStore, 0, &value) && read32(&m, DATA + 63 * PAGE) == 7, "code-gone");
  munmap(window, WINDOW_BYTES);
  check(!execute(kLoad, 0, &value), "unmapped");
  return failed;
}
