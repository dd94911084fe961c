// SPDX-License-Identifier: GPL-2.0-or-later
// Every instruction that accesses several words, and runs of those that access one, at each word
// position across a page boundary, with one of the pages missing or read-only. Each register, the
// memory and the fault are those of soft-call, where accesses are made one by one; and the
// instruction works once the page is there.
#include <cstddef>
#include <cstring>
#include <memory>

#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::test {
namespace {

constexpr uint32_t kBoundary = kVa + 0x1000;
// Where loaded words point: code that stops the run, wherever it is entered.
constexpr uint32_t kSled = kRam + 0x100000, kSledWords = 2048;

struct Multiple {
  const char* name;
  std::vector<uint32_t> code;  // A32, or T32 and T16 in halfwords
  bool thumb = false;
  int32_t low = 0;     // of the lowest word, from the base
  uint32_t words = 0;  // from the first to the last
  bool store = false;
  uint32_t base = 0;    // register
  uint32_t loaded = 0;  // words from the first that are loaded and not stored to
};

// The register lists have gaps and, where that is allowed, the base.
const Multiple kCases[] = {
    {"LDMIA R0, {R1-R4, R8, R14}", {0xe890411e}, false, 0, 6},
    {"LDMIA R0!, {R1-R7}", {0xe8b000fe}, false, 0, 7},
    {"LDMIA R0, {R0-R3}", {0xe890000f}, false, 0, 4},
    {"LDMIA R0, {R0, R2, R5}", {0xe8900025}, false, 0, 3},
    {"LDMIB R0!, {R1-R4}", {0xe9b0001e}, false, 4, 4},
    {"LDMIB R0, {R1, R12}", {0xe9901002}, false, 4, 2},
    {"LDMDA R0!, {R1-R5}", {0xe830003e}, false, -16, 5},
    {"LDMDA R0, {R1-R5}", {0xe810003e}, false, -16, 5},
    {"LDMDB R0!, {R1-R4}", {0xe930001e}, false, -16, 4},
    {"LDMDB R0, {R0-R2, R11}", {0xe9100807}, false, -16, 4},
    {"LDMIA R0!, {R1-R3, PC}", {0xe8b0800e}, false, 0, 4},
    {"LDMIA R0, {R1-R3, PC}^", {0xe8d0800e}, false, 0, 4},
    {"LDMIA R0, {R1, R8, R13, R14}^", {0xe8d06102}, false, 0, 4},
    {"LDMDB R0, {R1, R8, R13, R14}^", {0xe9506102}, false, -16, 4},
    {"STMIA R0, {R1-R4, R8, R14}", {0xe880411e}, false, 0, 6, true},
    {"STMIA R0!, {R0-R7}", {0xe8a000ff}, false, 0, 8, true},
    {"STMIB R0!, {R1-R4}", {0xe9a0001e}, false, 4, 4, true},
    {"STMDA R0!, {R1-R5}", {0xe820003e}, false, -16, 5, true},
    {"STMDB R0!, {R1-R4}", {0xe920001e}, false, -16, 4, true},
    {"STMDB R0, {R1-R4}", {0xe900001e}, false, -16, 4, true},
    {"STMIA R0, {R1, R8, R13, R14}^", {0xe8c06102}, false, 0, 4, true},
    {"PUSH {R4-R7, LR}", {0xe92d40f0}, false, -20, 5, true, 13},
    {"POP {R4-R7, PC}", {0xe8bd80f0}, false, 0, 5, false, 13},
    {"POP, POP", {0xe8bd0ff0, 0xe8bd400f}, false, 0, 13, false, 13},
    {"PUSH, PUSH", {0xe92d4ff0, 0xe92d000f}, false, -52, 13, true, 13},
    {"T16 PUSH {R0-R7, LR}", {0xb5ff}, true, -36, 9, true, 13},
    {"T16 POP {R0-R7, PC}", {0xbdff}, true, 0, 9, false, 13},
    {"T16 LDMIA R0!, {R1-R7}", {0xc8fe}, true, 0, 7},
    {"T16 LDMIA R0, {R0-R3}", {0xc80f}, true, 0, 4},
    {"T16 STMIA R0!, {R1-R7}", {0xc0fe}, true, 0, 7, true},
    {"T32 LDMIA R0!, {R1-R4, R8, PC}", {0xe8b0, 0x811e}, true, 0, 6},
    {"T32 LDMDB R0!, {R1-R4}", {0xe930, 0x001e}, true, -16, 4},
    {"T32 STMIA R0!, {R1-R4, R12}", {0xe8a0, 0x101e}, true, 0, 5, true},
    {"T32 STMDB R0!, {R1-R4}", {0xe920, 0x001e}, true, -16, 4, true},
    {"T32 LDRD R2, R3, [R0], #8", {0xe8f0, 0x2302}, true, 0, 2},
    {"T32 STRD R2, R3, [R0, #-8]!", {0xe960, 0x2302}, true, -8, 2, true},
    {"T32 IT EQ, LDMEQ", {0xbf08, 0xc8fe}, true, 0, 7},
    {"LDRD R2, [R0]", {0xe1c020d0}, false, 0, 2},
    {"LDRD R2, [R0, #8]!", {0xe1e020d8}, false, 8, 2},
    {"LDRD R0, [R0]", {0xe1c000d0}, false, 0, 2},
    {"STRD R2, [R0], #8", {0xe0c020f8}, false, 0, 2, true},
    {"STRD R2, [R0, #-8]!", {0xe16020f8}, false, -8, 2, true},
    {"VLDMIA R0!, {D0-D7}", {0xecb00b10}, false, 0, 16},
    {"VLDMIA R0, {D1-D3}", {0xec901b06}, false, 0, 6},
    {"VLDMDB R0!, {D16-D19}", {0xed700b08}, false, -32, 8},
    {"VLDMIA R0!, {S1-S6}", {0xecf00a06}, false, 0, 6},
    {"VSTMIA R0!, {D0-D7}", {0xeca00b10}, false, 0, 16, true},
    {"VSTMDB R0!, {D1-D3}", {0xed201b06}, false, -24, 6, true},
    {"VSTMIA R0, {S1-S6}", {0xecc00a06}, false, 0, 6, true},
    {"VPUSH {D8-D11}", {0xed2d8b08}, false, -32, 8, true, 13},
    {"VPOP {D8-D11}", {0xecbd8b08}, false, 0, 8, false, 13},
    {"VLDM, VSTM to the same", {0xec900b10, 0xec800b10}, false, 0, 16, true},
    {"VLDR D0; VLDR D1", {0xed900b00, 0xed901b02}, false, 0, 4},
    {"VSTR S0; VSTR D1", {0xed800a00, 0xed801b01}, false, 0, 3, true},
    {"VLD1.32 {D0}, [R0]!", {0xf420078d}, false, 0, 2},
    {"VLD1.8 {D0-D1}, [R0]!", {0xf4200a0d}, false, 0, 4},
    {"VLD1.16 {D0-D2}, [R0]", {0xf420064f}, false, 0, 6},
    {"VLD1.64 {D0-D3}, [R0]!", {0xf42002cd}, false, 0, 8},
    {"VLD2.8 {D0-D1}, [R0]!", {0xf420080d}, false, 0, 4},
    {"VLD2.32 {D0-D3}, [R0]!", {0xf420038d}, false, 0, 8},
    {"VLD3.16 {D0-D2}, [R0]!", {0xf420044d}, false, 0, 6},
    {"VLD4.32 {D0-D3}, [R0]!", {0xf420008d}, false, 0, 8},
    {"VLD4.8 {D0, D2, D4, D6}, [R0]", {0xf420010f}, false, 0, 8},
    {"VLD2.32 {D0[1], D1[1]}, [R0]!", {0xf4a0098d}, false, 0, 2},
    {"VLD3.32 {D0[0], D1[0], D2[0]}, [R0]", {0xf4a00a0f}, false, 0, 3},
    {"VLD4.32 {D0[1]-D3[1]}, [R0]!", {0xf4a00b8d}, false, 0, 4},
    {"VLD4.32 {D0[]-D3[]}, [R0]!", {0xf4a00f8d}, false, 0, 4},
    {"VST1.32 {D0}, [R0]!", {0xf400078d}, false, 0, 2, true},
    {"VST1.8 {D0-D1}, [R0]!", {0xf4000a0d}, false, 0, 4, true},
    {"VST1.64 {D0-D3}, [R0]!", {0xf40002cd}, false, 0, 8, true},
    {"VST2.8 {D0-D1}, [R0]!", {0xf400080d}, false, 0, 4, true},
    {"VST2.32 {D0-D3}, [R0]!", {0xf400038d}, false, 0, 8, true},
    {"VST3.16 {D0-D2}, [R0]!", {0xf400044d}, false, 0, 6, true},
    {"VST4.32 {D0-D3}, [R0]!", {0xf400008d}, false, 0, 8, true},
    {"VST3.32 {D0[0], D1[0], D2[0]}, [R0]!", {0xf4800a0d}, false, 0, 3, true},
    {"VST4.32 {D0[1]-D3[1]}, [R0]", {0xf4800b8f}, false, 0, 4, true},
    // Runs.
    {"three LDRs", {ldr(1, 0), ldr(2, 0, 4), ldr(3, 0, 8)}, false, 0, 3},
    {"LDRs with writeback", {0xe4901004, 0xe4902004, 0xe5b03004}, false, 0, 4},
    {"LDR of the base last", {ldr(1, 0, 4), ldr(0, 0)}, false, 0, 2},
    {"STRs downwards", {str(1, 0, 8), str(2, 0, 4), str(3, 0)}, false, 0, 3, true},
    {"bytes and halfwords", {0xe5d01001, 0xe1d020b2, 0xe1d030f4, 0xe5d04007}, false, 0, 2},
    {"loads, then stores", {ldr(1, 0), ldr(2, 0, 4), str(1, 0, 8), str(2, 0, 12)}, false, 0, 4, true, 0, 2},
    {"a load and a store", {ldr(1, 0), 0xe0811001 /* ADD R1, R1, R1 */, str(1, 0, 4)}, false, 0, 2, true, 0, 1},
    {"conditional", {0xe1500000 /* CMP R0, R0 */, 0x05901000, 0x05902004, 0x0890001e}, false, 0, 4},
    {"flags between", {ldr(1, 0), 0xe0911001 /* ADDS R1, R1, R1 */, ldr(2, 0, 4), 0xe0a22001}, false, 0, 2},
};

class MultipleAccesses : public EngineTest {
 protected:
  static constexpr uint32_t kPages = 2;
  static void prepare(Guest& g) {
    for (uint32_t i = 0; i < kSledWords; i++) g.write32(kSled + 4 * i, kHvc);
  }
  static void fill_memory(Guest& g) {
    for (uint32_t i = 0; i < kPages * 1024; i++) g.write32(kData + 4 * i, kSled + 4 * i);
  }
  static void fill_registers(Guest& g, const Multiple& m, uint32_t base) {
    CpuState& cpu = g.cpu;
    for (uint32_t n = 0; n < 15; n++) cpu.r[n] = 0x11111111 * (n + 1);
    cpu.r[m.base] = base;
    std::memset(&cpu.banked, 0x5a, sizeof cpu.banked);
    cpu.banked.spsr[kBankSvc] = read_cpsr(cpu) & ~0x20u;
    for (size_t i = 0; i < sizeof cpu.vreg; i++) cpu.vreg[i] = static_cast<uint8_t>(i * 7 + 1);
    write_nzcv(cpu, 0xb0000000);
    if (m.thumb) write_nzcv(cpu, 0x70000000);  // EQ, for what is conditional
    cpu.cp15.dfsr = cpu.cp15.dfar = 0;
  }
  static void write_code(Guest& g, const Multiple& m, uint32_t pa) {
    if (!m.thumb) {
      g.words(pa, m.code);
      g.words(pa + 4 * static_cast<uint32_t>(m.code.size()), {kHvc});
      return;
    }
    std::vector<uint16_t> halves(m.code.begin(), m.code.end());
    halves.insert(halves.end(), {0xf7e0, 0x8000});  // HVC
    std::memcpy(g.host(pa), halves.data(), halves.size() * 2);
  }
  static void expect_same(Guest& want, Guest& have) {
    CpuState &w = want.cpu, &h = have.cpu;
    EXPECT_EQ(want.stopped_at(), have.stopped_at());
    for (int n = 0; n < 16; n++) EXPECT_EQ(w.r[n], h.r[n]) << "R" << n;
    EXPECT_EQ(read_cpsr(w), read_cpsr(h));
    EXPECT_EQ(std::memcmp(&w.banked, &h.banked, sizeof w.banked), 0) << "a banked register";
    for (int d = 0; d < 32; d++) EXPECT_EQ(std::memcmp(w.vreg + 8 * d, h.vreg + 8 * d, 8), 0) << "D" << d;
    EXPECT_EQ(arm::read_fpscr(w), arm::read_fpscr(h));
    EXPECT_EQ(w.cp15.dfsr, h.cp15.dfsr);
    EXPECT_EQ(w.cp15.dfar, h.cp15.dfar);
    EXPECT_EQ(std::memcmp(want.host(kData), have.host(kData), kPages * 0x1000), 0) << "memory";
  }
};

enum class Broken { First, Second, FirstReadOnly, SecondReadOnly };

TEST_P(MultipleAccesses, FaultAtEachWord) {
  auto g = make_guest();
  GuestConfig one_by_one;
  one_by_one.mode = mmu::Mode::SoftCall;
  one_by_one.code_cache_bytes = 8 << 20;
  auto reference = std::make_unique<Guest>(one_by_one);
  Guest* const guests[] = {reference.get(), g.get()};
  for (Guest* guest : guests) {
    prepare(*guest);
    for (uint32_t page = 0; page < kPages; page++) guest->map(kVa + 0x1000 * page, kData + 0x1000 * page);
  }
  uint32_t pc = kCode, faults = 0;
  const uint32_t cpsr = read_cpsr(g->cpu);
  for (const Multiple& m : kCases) {
    SCOPED_TRACE(m.name);
    for (Guest* guest : guests) write_code(*guest, m, pc);
    for (uint32_t before = 0; before <= m.words; before++) {  // words that are in the first page
      SCOPED_TRACE(std::to_string(before) + " words before the boundary");
      const uint32_t low = kBoundary - 4 * before, base = low - static_cast<uint32_t>(m.low);
      for (const Broken broken : {Broken::First, Broken::Second, Broken::FirstReadOnly, Broken::SecondReadOnly}) {
        const bool first = broken == Broken::First || broken == Broken::FirstReadOnly;
        const bool read_only = broken == Broken::FirstReadOnly || broken == Broken::SecondReadOnly;
        if (read_only && !m.store) continue;
        SCOPED_TRACE(std::string(first ? "the first page" : "the second page") + (read_only ? " is read-only" : ""));
        const uint32_t page = first ? 0 : 0x1000;
        // Warm, broken twice, and whole again.
        for (int round = 0; round < 4; round++) {
          SCOPED_TRACE(round);
          const bool whole = round == 0 || round == 3;
          for (Guest* guest : guests) {
            CpuState& cpu = guest->cpu;
            if (round == 1 || round == 3) {
              if (whole || read_only)
                guest->map(kVa + page, kData + page, whole ? Guest::kUserRw : Guest::kReadOnly);
              else
                guest->unmap(kVa + page);
              guest->flush_tlb();
            }
            if (read_cpsr(cpu) != cpsr) {
              arm::switch_mode(cpu, static_cast<Mode>(cpsr & 0x1f));
              arm::set_cpsr(cpu, cpsr);
            }
            fill_memory(*guest);
            fill_registers(*guest, m, base);
            guest->run(pc | m.thumb);
          }
          expect_same(*reference, *g);
          const bool faulted = g->stopped_at() == Exception::DataAbort;
          const bool reaches = first ? before > (read_only ? m.loaded : 0) : before < m.words;
          ASSERT_EQ(faulted, !whole && reaches) << "pc " << std::hex << g->cpu.r[15];
          if (faulted) {
            faults++;
            EXPECT_EQ(g->cpu.cp15.dfar >> 12, (kVa + page) >> 12);
          }
          if (HasFailure()) return;
        }
      }
    }
    pc += 0x20;
  }
  EXPECT_GT(faults, 1000u);
  if (GetParam().mode == mmu::Mode::Soft) {
    EXPECT_EQ(g->engine_statistics().exits_apart != 0, GetParam().share_lookups && GetParam().optimise);
  }
}

// An access to two pages that the software TLB has needs no walk.
TEST_P(MultipleAccesses, InTwoKnownPages) {
  auto g = make_guest();
  g->map(kVa, kData + 0x1000);
  g->map(kBoundary, kData);
  g->write32(kData + 0x1ffc, 0x44332211);
  g->write32(kData, 0x88776655);
  // LDR R1, [R0]; LDRSH R2, [R0, #1]; STR R3, [R0, #-1]; VLD1.8 {D0-D1}, [R0]
  g->words(kCode, {ldr(1, 0), 0xe1d020f1, 0xe5003001, 0xf4200a0f, kHvc});
  for (int round = 0; round < 3; round++) {
    const uint64_t walks = g->mmu_statistics().soft_misses, known = g->engine_statistics().crossing_accesses;
    g->cpu.r[0] = kBoundary - 2, g->cpu.r[3] = 0xddccbbaa;
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[1], round == 0 ? 0x66554433u : 0x66ddccbbu);
    EXPECT_EQ(g->cpu.r[2], round == 0 ? 0x5544u : 0xffffddccu);
    EXPECT_EQ(g->read32(kData), 0x887766ddu);
    if (round == 0 || GetParam().mode.has_windows()) continue;
    EXPECT_EQ(g->mmu_statistics().soft_misses, walks);
    EXPECT_EQ(g->engine_statistics().crossing_accesses, known + 4);
  }
}

INSTANTIATE_TEST_SUITE_P(, MultipleAccesses, ::testing::ValuesIn(settings()), setting_name);

}  // namespace
}  // namespace crosswalk::test
