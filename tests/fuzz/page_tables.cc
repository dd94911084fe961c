// SPDX-License-Identifier: GPL-2.0-or-later
// Page tables of any content in any regime: the guest's MMU says what the walker alone says, before
// and after entries are kept in a software TLB and flushed.
#include "mmu-shadow/walker/regime.h"
#include "tests/fuzz/input.h"
#include "tests/mmu-shadow/test_memory.h"
#include "translator/arm32/cpu/cpu_state.h"

using namespace crosswalk;

namespace {

constexpr uint64_t kRamBytes = 2 << 20;
constexpr uint64_t kTables = 0x40000000;
constexpr uint32_t kTableBytes = 0x10000;

struct Listener final : mmu::CodeListener {
  bool code_written(uint64_t, uint32_t) override { return true; }
};

// Where tables are looked for: near the start of RAM, so that mutations hit them.
uint64_t table_at(uint64_t value) { return kTables + (value % kTableBytes & ~uint64_t{7}); }

// What both say about one access.
void compare(const mmu::Translation& at, const cw_result& walked) {
  if (at.ok != (walked.fault == CW_FAULT_NONE)) std::abort();
  if (at.ok && at.pa != walked.pa) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static mmu::test::TestMemory memory(kRamBytes);
  std::memset(memory.ram.host, 0, kTableBytes);
  fuzz::Input in(data, size);
  Listener listener;
  mmu::MmuConfig config;
  config.mode = mmu::Mode::Soft;
  const auto mmu = std::move(*mmu::make_mmu(config, memory.ram, listener, nullptr));
  const auto cpu = std::make_unique<CpuState>();
  const auto set_regime = [&] {
    Cp15& c = cpu->cp15;
    const uint8_t which = in.u8();
    constexpr uint32_t kControls = CW_SCTLR_WXN | CW_SCTLR_UWXN | CW_SCTLR_EE | CW_SCTLR_TRE | CW_SCTLR_AFE;
    c.sctlr = CW_SCTLR_M | (in.u32() & kControls);
    c.ttbcr = in.u32() & ~CW_TTBCR_EAE;
    if (which & 1) c.ttbcr |= CW_TTBCR_EAE;
    if (which & 2) c.ttbcr &= CW_TTBCR_EAE;
    c.ttbr0 = table_at(in.u16());
    c.ttbr1 = table_at(in.u16());
    c.contextidr = in.u8();
    c.dacr = in.u32();
    cpu->mode = static_cast<uint8_t>(which & 4 ? Mode::User : Mode::Supervisor);
    mmu->activate(*cpu);
  };
  set_regime();
  for (int steps = 0; !in.empty() && steps < 200; ++steps) {
    const uint8_t what = in.u8();
    switch (what & 7) {
      case 0: set_regime(); break;
      case 1:  // some descriptors, and what a guest has to do then
      case 2: {
        const uint64_t pa = table_at(in.u16());
        uint8_t descriptors[64] = {};
        const size_t bytes = std::min<uint64_t>(8u << (what >> 3 & 3), kTables + kTableBytes - pa);
        in.copy(descriptors, bytes);
        std::memcpy(memory.ram.at(pa), descriptors, bytes);
        mmu->note_external_write(pa, bytes);
        mmu->flush_all(*cpu);
        break;
      }
      default: {
        const uint32_t va = what & 0x40 ? in.u32() : in.u8() << 12 | in.u8();
        constexpr mmu::AccessKind kKinds[] = {mmu::AccessKind::Load, mmu::AccessKind::Store, mmu::AccessKind::Fetch};
        constexpr unsigned kWalks[] = {CW_LOAD, CW_STORE, CW_FETCH};
        const unsigned kind = (what >> 3) % 3;
        const bool privileged = cpu->mode != static_cast<uint8_t>(Mode::User);
        const cw_result walked = memory.walk(mmu::regime_of(cpu->cp15), va, kWalks[kind], privileged);
        compare(mmu->translate(*cpu, va, kKinds[kind], privileged), walked);
        if (kind != 2) compare(mmu->fill(*cpu, va, kKinds[kind]), walked);
        break;
      }
    }
  }
  return 0;
}
