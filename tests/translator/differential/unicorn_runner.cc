// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/unicorn_runner.h"

#include <sys/mman.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace crosswalk::differential {
namespace {

void check(uc_err e, const char* what) {
  if (e == UC_ERR_OK) return;
  std::fprintf(stderr, "Unicorn: %s: %s\n", what, uc_strerror(e));
  std::abort();
}

// The registers of a GuestState, in one batch: r0-r14, CPSR, FPSCR, d0-d31. The PC is passed to
// uc_emu_start.
constexpr int kRegisters = 15 + 2 + 32;
constexpr std::array<int, kRegisters> register_ids() {
  std::array<int, kRegisters> ids{};
  int n = 0;
  ids[n++] = UC_ARM_REG_CPSR;  // first: it selects the bank of r13 and r14
  for (int i = 0; i < 13; i++) ids[n++] = UC_ARM_REG_R0 + i;
  ids[n++] = UC_ARM_REG_R13;
  ids[n++] = UC_ARM_REG_R14;
  ids[n++] = UC_ARM_REG_FPSCR;
  for (int i = 0; i < 32; i++) ids[n++] = UC_ARM_REG_D0 + i;
  return ids;
}
constexpr auto kIds = register_ids();

std::array<void*, kRegisters> pointers(GuestState& s) {
  std::array<void*, kRegisters> p{};
  int n = 0;
  p[n++] = &s.cpsr;
  for (int i = 0; i < 15; i++) p[n++] = &s.r[i];
  p[n++] = &s.fpscr;
  for (int i = 0; i < 32; i++) p[n++] = &s.d[i];
  return p;
}

}  // namespace

UnicornRunner::UnicornRunner() {
  ram_ = static_cast<uint8_t*>(mmap(nullptr, kRamSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (ram_ == MAP_FAILED) std::abort();
  open();
}

UnicornRunner::~UnicornRunner() {
  uc_close(uc_);
  munmap(ram_, kRamSize);
}

void UnicornRunner::open() {
  check(uc_open(UC_ARCH_ARM, UC_MODE_ARM, &uc_), "open");
  check(uc_ctl_set_cpu_model(uc_, UC_CPU_ARM_CORTEX_A15), "set the CPU model");
  check(uc_mem_map_ptr(uc_, kRamBase, kRamSize, UC_PROT_ALL, ram_), "map RAM");
  uc_hook hook;
  check(uc_hook_add(uc_, &hook, UC_HOOK_INTR, reinterpret_cast<void*>(&on_interrupt), this, 1, 0), "hook interrupts");
  check(uc_hook_add(uc_, &hook, UC_HOOK_INSN_INVALID, reinterpret_cast<void*>(&on_invalid), this, 1, 0),
        "hook invalid instructions");
  for (auto [first, last] :
       {std::pair{kRamBase, kDataBase - 1}, std::pair{kDataBase + kDataSize, kRamBase + kRamSize - 1}}) {
    check(uc_hook_add(uc_, &hook, UC_HOOK_MEM_WRITE, reinterpret_cast<void*>(&on_stray_store), this, first, last),
          "hook stores");
  }
  // CPACR: cp10 and cp11 for all modes; FPEXC.EN.
  uint32_t cpacr = 0xf00000, fpexc = 0x40000000;
  check(uc_reg_write(uc_, UC_ARM_REG_C1_C0_2, &cpacr), "write CPACR");
  check(uc_reg_write(uc_, UC_ARM_REG_FPEXC, &fpexc), "write FPEXC");
}

// Removing translations one by one is slower than a new instance.
void UnicornRunner::forget_code() {
  stray_store_ = false;
  uc_close(uc_);
  open();
}

void UnicornRunner::on_interrupt(uc_engine* uc, uint32_t number, void* self) {
  // QEMU's target/arm/cpu.h: EXCP_*.
  Exception e = Exception::Other;
  switch (number) {
    case 1: e = Exception::Undefined; break;
    case 2: e = Exception::SupervisorCall; break;
    case 3:
    case 7: e = Exception::PrefetchAbort; break;  // 7: BKPT
    case 4: e = Exception::DataAbort; break;
    default: break;
  }
  static_cast<UnicornRunner*>(self)->exception_ = e;
  uc_emu_stop(uc);
}

void UnicornRunner::on_stray_store(uc_engine*, uc_mem_type, uint64_t, int, int64_t, void* self) {
  static_cast<UnicornRunner*>(self)->stray_store_ = true;
}

bool UnicornRunner::on_invalid(uc_engine*, void* self) {
  static_cast<UnicornRunner*>(self)->exception_ = Exception::Undefined;
  return false;
}

void UnicornRunner::access_user_bank(uint32_t cpsr, uint32_t& r13, uint32_t& r14, bool write) {
  const uint32_t system = cpsr | 0x1f;
  check(uc_reg_write(uc_, UC_ARM_REG_CPSR, &system), "write CPSR");
  for (auto [id, value] : {std::pair{UC_ARM_REG_R13, &r13}, std::pair{UC_ARM_REG_R14, &r14}}) {
    check(write ? uc_reg_write(uc_, id, value) : uc_reg_read(uc_, id, value), "access a banked register");
  }
  check(uc_reg_write(uc_, UC_ARM_REG_CPSR, &cpsr), "write CPSR");
}

Outcome UnicornRunner::run(const Case& c) {
  GuestState in = c.before;
  exception_ = Exception::None;
  // Only from a privileged mode: in User mode the bank is the current one.
  if (c.user_bank) access_user_bank(in.cpsr, in.user_r13, in.user_r14, true);
  auto in_pointers = pointers(in);
  check(uc_reg_write_batch(uc_, const_cast<int*>(kIds.data()), in_pointers.data(), kRegisters), "write registers");
  check(uc_reg_write(uc_, UC_ARM_REG_SPSR, &in.spsr), "write SPSR");
  // A branch in an earlier case may have had these addresses translated.
  const uint64_t slot = in.r[15] & ~(kSlotBytes - 1);
  check(uc_ctl_remove_cache(uc_, slot, slot + kSlotBytes), "remove translations");
  // Where it starts it would stop at once: a branch to itself is counted.
  if (stop_at_ == in.r[15]) stop_at_ = 0xfffffff0;
  if (stop_at_ >= kRamBase && stop_at_ - kRamBase < kRamSize - 4) {
    check(uc_ctl_remove_cache(uc_, stop_at_ & ~1u, (stop_at_ & ~1u) + 4), "remove translations");
  }
  uint32_t end = in.r[15];
  for (const Instruction& i : c.code) end += i.bytes;
  const uint32_t it = (in.cpsr >> 25 & 3) | (in.cpsr >> 10 & 0x3f) << 2;
  const bool is_it = std::string_view(c.row->handler_name) == "IT";
  // Instructions that an IT block skips are not counted: in one, the end address stops.
  const uc_err e = uc_emu_start(uc_, in.r[15] | (c.thumb ? 1u : 0u), it || is_it ? end : stop_at_, 0, c.code.size());
  Outcome out;
  auto out_pointers = pointers(out.state);
  check(uc_reg_read_batch(uc_, const_cast<int*>(kIds.data()), out_pointers.data(), kRegisters), "read registers");
  check(uc_reg_read(uc_, UC_ARM_REG_PC, &out.state.r[15]), "read the PC");
  check(uc_reg_read(uc_, UC_ARM_REG_SPSR, &out.state.spsr), "read SPSR");
  if (c.user_bank) access_user_bank(out.state.cpsr, out.state.user_r13, out.state.user_r14, false);
  switch (e) {
    case UC_ERR_OK:
    case UC_ERR_FETCH_UNMAPPED:  // a branch to nowhere has been executed
    case UC_ERR_FETCH_PROT: break;
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_READ_UNALIGNED:
    case UC_ERR_WRITE_UNALIGNED: exception_ = Exception::DataAbort; break;
    case UC_ERR_INSN_INVALID: exception_ = Exception::Undefined; break;
    default:
      if (exception_ == Exception::None) exception_ = Exception::Other;
      break;
  }
  out.exception = exception_;
  if ((it || is_it) && exception_ == Exception::None) {
    // Where Unicorn stops, the IT bits are not those of the next instruction: put in what ITAdvance
    // (A2.5.2) gives.
    const uint32_t next = is_it ? c.code.back().word & 0xff : it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    out.state.cpsr = (out.state.cpsr & ~0x0600fc00u) | (next & 3) << 25 | (next >> 2) << 10;
  }
  return out;
}

}  // namespace crosswalk::differential
