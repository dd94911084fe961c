// SPDX-License-Identifier: GPL-2.0-or-later
// A debugger and its child, and perf events that count breakpoints: hardware breakpoints and
// watchpoints as gdb and Linux's hw_breakpoint use them. Prints each check that fails; ends with 0
// when all are right. As the first program of a guest it powers off.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kGetHbpRegs = 29, kSetHbpRegs = 30 };  // PTRACE_*
enum { kEnabled = 1, kUser = 2 << 1, kStores = 2 << 3 };

static int wrong;
static void expect(const char* what, long got, long want) {
  if (got == want) return;
  ++wrong;
  printf("%s: %ld (0x%lx) instead of %ld (0x%lx)\n", what, got, got, want, want);
}

static volatile uint32_t watched[16] __attribute__((aligned(64)));
// STR R1, [R0]; BX LR, in both instruction sets.
void store_arm(volatile uint32_t*, uint32_t);
void store_thumb(volatile uint32_t*, uint32_t);
__asm__(
    ".syntax unified\n.text\n.balign 4\n.arm\n.type store_arm, %function\nstore_arm: str r1, [r0]\n bx lr\n"
    ".thumb\n.thumb_func\n.type store_thumb, %function\nstore_thumb: str r1, [r0]\n bx lr\n.balign 4\n");
typedef void Store(volatile uint32_t*, uint32_t);

// Breakpoint registers are numbered from 1 (value) and 2 (control) on, watchpoint registers from -1
// and -2 on.
static void set_register(pid_t child, long number, unsigned long value) {
  if (ptrace((enum __ptrace_request)kSetHbpRegs, child, number, &value) != 0) {
    printf("PTRACE_SETHBPREGS %ld: %s\n", number, strerror(errno));
    ++wrong;
  }
}
// The kernel wants control registers complete, also of what is disabled, and before an address that
// is not a word's.
static void set_breakpoint(pid_t child, uint32_t address, int thumb, uint32_t enabled) {
  set_register(child, 2, (thumb ? 3u : 15u) << 5 | kUser | enabled);
  set_register(child, 1, address);
}
static void set_watchpoint(pid_t child, const volatile void* address, uint32_t enabled) {
  set_register(child, -2, 15u << 5 | kStores | kUser | enabled);
  set_register(child, -1, (unsigned long)address);
}

// Goes on to the next trap; the address that it is for, or -1 when the child has ended.
static long next_trap(pid_t child, struct user_regs* registers) {
  int status;
  ptrace(PTRACE_CONT, child, 0, 0);
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
  expect("signal", WSTOPSIG(status), SIGTRAP);
  siginfo_t info;
  ptrace(PTRACE_GETSIGINFO, child, 0, &info);
  expect("si_code", info.si_code, TRAP_HWBKPT);
  ptrace(PTRACE_GETREGS, child, 0, registers);
  return (long)info.si_addr;
}

// The child stores 1, 2 and 3. Each time the store is stopped, the word still has the value before;
// a breakpoint at the next instruction steps over it.
static void debug(const char* name, Store* store, int thumb) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    for (uint32_t i = 1; i <= 3; ++i) {
      store(&watched[2], i);
      store(&watched[3], i);
      (void)watched[2];
    }
    _exit(7);
  }
  int status;
  waitpid(child, &status, 0);
  const uint32_t pc = (uint32_t)store & ~1u, next = pc + (thumb ? 2 : 4);
  struct user_regs registers;
  set_watchpoint(child, &watched[2], kEnabled);
  for (uint32_t i = 1; i <= 3; ++i) {
    expect(name, next_trap(child, &registers), (long)&watched[2]);
    expect("pc of a watched store", registers.uregs[15], pc);
    expect("r1 of a watched store", registers.uregs[1], i);
    expect("memory before it", ptrace(PTRACE_PEEKDATA, child, &watched[2], 0), i - 1);
    set_watchpoint(child, &watched[2], 0);
    set_breakpoint(child, next, thumb, kEnabled);
    expect(name, next_trap(child, &registers), (long)registers.uregs[15]);
    expect("pc after it", registers.uregs[15], next);
    expect("memory after it", ptrace(PTRACE_PEEKDATA, child, &watched[2], 0), i);
    set_breakpoint(child, next, thumb, 0);
    set_watchpoint(child, &watched[2], kEnabled);
  }
  expect("the child's end", next_trap(child, &registers), -1);
}

static int count(uint64_t address, uint32_t type, uint64_t bytes) {
  struct perf_event_attr a = {.type = PERF_TYPE_BREAKPOINT, .size = sizeof a, .exclude_kernel = 1};
  a.bp_type = type;
  a.bp_addr = address;
  a.bp_len = bytes;
  const int event = (int)syscall(__NR_perf_event_open, &a, 0, -1, -1, 0);
  if (event < 0) {
    printf("perf_event_open: %s\n", strerror(errno));
    ++wrong;
  }
  return event;
}
static void expect_count(const char* what, int event, long want) {
  uint64_t value = 0;
  if (read(event, &value, sizeof value) != sizeof value) ++wrong;
  expect(what, (long)value, want);
  close(event);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  debug("watched store, A32", store_arm, 0);
  debug("watched store, Thumb", store_thumb, 1);

  // The kernel counts a hit and steps over the instruction by a mismatch breakpoint.
  int event = count((uint32_t)&watched[4], HW_BREAKPOINT_RW, HW_BREAKPOINT_LEN_4);
  for (uint32_t i = 0; i < 100; ++i) {
    store_arm(&watched[4], i);
    store_thumb(&watched[5], i);
    store_thumb(&watched[4], i);
    if (i % 10 == 0) usleep(1000);  // out of the context and back
  }
  expect_count("counted stores", event, 200);
  event = count((uint32_t)store_arm, HW_BREAKPOINT_X, HW_BREAKPOINT_LEN_4);
  for (uint32_t i = 0; i < 100; ++i) store_arm(&watched[6], i);
  expect_count("counted calls, A32", event, 100);
  event = count((uint32_t)store_thumb & ~1u, HW_BREAKPOINT_X, HW_BREAKPOINT_LEN_2);
  for (uint32_t i = 0; i < 100; ++i) store_thumb(&watched[6], i);
  expect_count("counted calls, Thumb", event, 100);

  // The kernel's own accesses to the watched page, and to the word itself.
  event = count((uint32_t)&watched[8], HW_BREAKPOINT_RW, HW_BREAKPOINT_LEN_4);
  int ends[2];
  uint32_t out[16], in = 0x12345678;
  if (pipe(ends) != 0) return 99;
  for (uint32_t i = 0; i < 16; ++i) out[i] = i;
  struct iovec vector = {(void*)watched, sizeof watched};
  expect("write", write(ends[1], out, sizeof out), sizeof out);
  expect("readv", readv(ends[0], &vector, 1), sizeof watched);
  expect("what was read", watched[7], 7);
  expect("write", write(ends[1], &in, 4), 4);
  expect("read", read(ends[0], (void*)&watched[9], 4), 4);
  expect("what was read", watched[9], 0x12345678);
  close(event);
  expect("the watched word", watched[8], 8);
  if (!wrong) printf("hardware breakpoints and watchpoints are right\n");
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return wrong != 0;
}
