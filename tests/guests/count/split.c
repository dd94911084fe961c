// SPDX-License-Identifier: GPL-2.0-or-later
// A plugin of QEMU's emulation that counts executed instructions by where they are: inside a KVM
// guest, in user space, or in the kernel, and there by block. count-run.c marks the parts to count
// with instructions that the processor ignores: `nopl MARK(%rax)`.
//
// usage: qemu-system-x86_64 -plugin FILE.so,out=FILE … Output: for each part a line `part`, lines
// `total CLASS INSTRUCTIONS`, and `block CLASS ADDRESS INSTRUCTIONS` for each block from a
// millionth of all on. CLASS is vm, user or kernel. Blocks are counted when they begin: the rest of
// one that a fault leaves is counted too.
//
// The few declarations of QEMU's plugin interface, version 1, that are needed (its
// docs/devel/tcg-plugins.rst); Debian has no package of the header.
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
typedef void (*vcpu_callback)(unsigned vcpu, void* data);
enum { kInlineAdd64 = 0, kNoRegisters = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int, void*, uint64_t);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb*, vcpu_callback, int, void*);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn*, int, void*, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, vcpu_callback, int, void*);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn*);
EXPORT int qemu_plugin_version = 1;

enum class_of_code { kVm, kUser, kKernel, kClasses };
static const char* const class_names[] = {"vm", "user", "kernel"};
struct block {
  uint64_t address;
  uint64_t instructions;  // executed since the machine's start
  uint64_t at_start;      // the same when the run began
  uint64_t at_begin;      // and when the slice began
  struct block* next;
  int class_of;
};
enum { kBuckets = 1 << 18 };
enum { kBeginRun = 0x43570000, kBeginSlice = 0x43570001, kEndSlice = 0x43570002, kEndRun = 0x43570003 };

// Instructions that cost a processor much more than others; where they are says what they are for.
enum event { kVmrun, kIret, kInvlpg, kLoadCr3, kSysret, kEvents };
static const char* const event_names[] = {"vmrun", "iret", "invlpg", "cr3", "sysret"};
static uint64_t events[kClasses][kEvents], events_at_start[kClasses][kEvents], events_at_begin[kClasses][kEvents];

static struct block* buckets[kBuckets];
static bool in_vm;
static uint64_t after_vmrun;
static const char* out_path;

static struct block* find_block(int class_of, uint64_t address) {
  struct block** bucket = &buckets[(address * 0x9e3779b97f4a7c15u >> 40 ^ (unsigned)class_of) % kBuckets];
  for (struct block* b = *bucket; b; b = b->next)
    if (b->address == address && b->class_of == class_of) return b;
  struct block* b = calloc(1, sizeof *b);
  if (!b) abort();
  *b = (struct block){.address = address, .next = *bucket, .class_of = class_of};
  return *bucket = b;
}

static void enter_vm(unsigned vcpu, void* data) { (void)vcpu, (void)data, in_vm = true; }
static void leave_vm(unsigned vcpu, void* data) { (void)vcpu, (void)data, in_vm = false; }

#define FOR_EACH_BLOCK(b)               \
  for (int i_ = 0; i_ < kBuckets; ++i_) \
    for (struct block* b = buckets[i_]; b; b = b->next)

static void begin_run(unsigned vcpu, void* data) {
  (void)vcpu, (void)data;
  FOR_EACH_BLOCK(b) b->at_start = b->instructions;
  memcpy(events_at_start, events, sizeof events);
}

static void begin_slice(unsigned vcpu, void* data) {
  (void)vcpu, (void)data;
  FOR_EACH_BLOCK(b) b->at_begin = b->instructions;
  memcpy(events_at_begin, events, sizeof events);
}

static void write_part(bool whole) {
  FILE* out = fopen(out_path, "a");
  if (!out) {
    perror(out_path);
    exit(1);
  }
  uint64_t totals[kClasses] = {0}, all = 0;
  FOR_EACH_BLOCK(b) {
    const uint64_t count = b->instructions - (whole ? b->at_start : b->at_begin);
    totals[b->class_of] += count;
    all += count;
  }
  fprintf(out, "part\n");
  for (int c = 0; c < kClasses; ++c) fprintf(out, "total %s %" PRIu64 "\n", class_names[c], totals[c]);
  for (int c = 0; c < kClasses; ++c)
    for (int e = 0; e < kEvents; ++e)
      fprintf(out, "event %s %s %" PRIu64 "\n", class_names[c], event_names[e],
              events[c][e] - (whole ? events_at_start : events_at_begin)[c][e]);
  FOR_EACH_BLOCK(b) {
    const uint64_t count = b->instructions - (whole ? b->at_start : b->at_begin);
    if (count > all / 1000000)
      fprintf(out, "block %s %" PRIx64 " %" PRIu64 "\n", class_names[b->class_of], b->address, count);
  }
  if (fclose(out)) {
    perror(out_path);
    exit(1);
  }
}
static void end_slice(unsigned vcpu, void* data) { (void)vcpu, (void)data, write_part(false); }
static void end_run(unsigned vcpu, void* data) { (void)vcpu, (void)data, write_part(true); }

// By the opcode behind the prefixes (Intel SDM 2).
static int event_of(const uint8_t* bytes, size_t size) {
  if (size && (bytes[0] & 0xf0) == 0x40) ++bytes, --size;  // REX
  if (size == 1 && bytes[0] == 0xcf) return kIret;
  if (size < 2 || bytes[0] != 0x0f) return kEvents;
  if (bytes[1] == 0x07) return kSysret;
  if (size < 3) return kEvents;
  const unsigned reg = bytes[2] >> 3 & 7, mod = bytes[2] >> 6;
  if (bytes[1] == 0x01 && bytes[2] == 0xd8) return kVmrun;
  if (bytes[1] == 0x01 && reg == 7 && mod != 3) return kInvlpg;
  if (bytes[1] == 0x22 && reg == 3) return kLoadCr3;
  return kEvents;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  const uint64_t address = qemu_plugin_tb_vaddr(tb);
  const bool kernel = address >> 63;
  if (address == after_vmrun) in_vm = false;  // the VM has just been left
  const int class_of = in_vm ? kVm : kernel ? kKernel : kUser;
  const size_t count = qemu_plugin_tb_n_insns(tb);
  qemu_plugin_register_vcpu_tb_exec_inline(tb, kInlineAdd64, &find_block(class_of, address)->instructions, count);
  if (address == after_vmrun) qemu_plugin_register_vcpu_tb_exec_cb(tb, leave_vm, kNoRegisters, NULL);
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const uint8_t* bytes = qemu_plugin_insn_data(insn);
    const size_t size = qemu_plugin_insn_size(insn);
    const int event = event_of(bytes, size);
    if (event != kEvents) qemu_plugin_register_vcpu_insn_exec_inline(insn, kInlineAdd64, &events[class_of][event], 1);
    if (event == kVmrun && class_of == kKernel) {
      after_vmrun = qemu_plugin_insn_vaddr(insn) + 3;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, enter_vm, kNoRegisters, NULL);
    } else if (!kernel && size == 7 && !memcmp(bytes, "\x0f\x1f\x80", 3)) {
      uint32_t mark;
      memcpy(&mark, bytes + 3, 4);
      const vcpu_callback found = mark == kBeginRun     ? begin_run
                                  : mark == kBeginSlice ? begin_slice
                                  : mark == kEndSlice   ? end_slice
                                  : mark == kEndRun     ? end_run
                                                        : NULL;
      if (found) qemu_plugin_register_vcpu_insn_exec_cb(insn, found, kNoRegisters, NULL);
    }
  }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argc, char** argv) {
  (void)info;
  for (int i = 0; i < argc; ++i)
    if (!strncmp(argv[i], "out=", 4)) out_path = strdup(argv[i] + 4);
  if (!out_path) {
    fprintf(stderr, "split: give out=FILE\n");
    return -1;
  }
  remove(out_path);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
