// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/coprocessor.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <tuple>

#include "tests/translator/arm32/cpu/qemu_facts.h"
#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

using test::RegisterFact;
using test::TestCpu;

std::string describe(const RegisterFact& f) {
  return "p" + std::to_string(f.coprocessor) + " c" + std::to_string(f.crn) + "," + std::to_string(f.opc1) + ",c" +
         std::to_string(f.crm) + "," + std::to_string(f.opc2);
}

// Where the reset value or the writable bits are meant to differ from QEMU 7.2, and why.
struct Difference {
  uint8_t coprocessor, crn, opc1, crm, opc2;
  uint32_t reset_value, after_ones;
  const char* reason;
};
constexpr Difference kDifferences[] = {
    {15, 1, 0, 0, 0, 0x00c50078, 0x72dd3c7f, "SCTLR: QEMU keeps any bit; not written by the image"},
    {15, 1, 0, 0, 1, 0, 0xffffffff, "ACTLR keeps what is written (Cortex-A15 TRM 4.3.28); RAZ/WI in QEMU"},
    {15, 1, 0, 0, 2, 0, 0x80f00000, "CPACR.D32DIS is RAZ/WI"},
    {15, 2, 0, 0, 2, 0, 0xffc73f87, "TTBCR: all ones sets EAE, which the image avoided"},
    {15, 9, 0, 12, 0, 0x410f3000, 0x410f3039, "PMCR: bits 7 and 6 are ARMv8's"},
    {15, 9, 0, 12, 2, 0, 0, "PMCNTENCLR: the image had set PMCNTENSET"},
    {15, 9, 0, 13, 1, 0, 0xf80000ff, "PMXEVTYPER: 8 event bits in PMUv2"},
    {15, 9, 0, 14, 2, 0, 0, "PMINTENCLR: the image had set PMINTENSET"},
    {15, 12, 0, 0, 0, 0, 0xffffffe0, "VBAR: the image had set it"},
    {15, 13, 0, 0, 0, 0, 0, "FCSEIDR: RAZ/WI without the FCSE"},
    {15, 14, 0, 1, 0, 0, 0x3ff, "CNTKCTL: QEMU keeps reserved bits"},
    {15, 14, 0, 2, 1, 0, 3, "CNTP_CTL: the clock stands still here"},
    {15, 14, 0, 3, 1, 0, 3, "CNTV_CTL: the same"},
    {14, 0, 0, 2, 2, 0, 0x0000fc3c, "DBGDSCRext: reserved and read-only bits"},
    {14, 1, 0, 1, 4, 0x0000000a, 0x0000000a, "DBGOSLSR: the image had unlocked"},
    {14, 0, 0, 7, 0, 0, 0x000000df, "DBGVCR keeps what is written; a NOP in QEMU"},
    {14, 0, 0, 0, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 1, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 2, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 3, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 4, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 5, 5, 0, 0x00ffe1e7, "DBGBCR: reserved bits"},
    {14, 0, 0, 0, 7, 0, 0x1f1fffff, "DBGWCR: reserved bits"},
    {14, 0, 0, 1, 7, 0, 0x1f1fffff, "DBGWCR: reserved bits"},
    {14, 0, 0, 2, 7, 0, 0x1f1fffff, "DBGWCR: reserved bits"},
    {14, 0, 0, 3, 7, 0, 0x1f1fffff, "DBGWCR: reserved bits"},
};

void check_facts(CpuModel model, const RegisterFact& f) {
  TestCpu t(model);
  RegisterFact fact = f;
  for (const Difference& d : kDifferences) {
    if (std::tie(d.coprocessor, d.crn, d.opc1, d.crm, d.opc2) ==
        std::tie(f.coprocessor, f.crn, f.opc1, f.crm, f.opc2)) {
      fact.reset_value = d.reset_value;
      fact.after_ones = d.after_ones;
    }
  }
  // An SCTLR.M here switches nothing: the MMU of the test records only.
  t.platform.now = 0;
  t.cpu.cp15.cntp_cval = t.cpu.cp15.cntv_cval = ~uint64_t{0};
  const SystemRegister* row = find_system_register(f.coprocessor, f.crn, f.opc1, f.crm, f.opc2);
  ASSERT_NE(row, nullptr) << describe(f);
  EXPECT_EQ(access_allowed(t.cpu, *row, false), f.access[0] == 'r') << describe(f) << " " << row->name;
  EXPECT_EQ(access_allowed(t.cpu, *row, true), f.access[1] == 'w') << describe(f) << " " << row->name;
  if (f.access[0] == 'r') {
    uint64_t value = ~uint64_t{0};
    read_system_register(t.context, *row, value);
    EXPECT_EQ(value, fact.reset_value) << describe(f) << " " << row->name;
    if (f.access[1] == 'w') {
      write_system_register(t.context, *row, 0xffffffff);
      read_system_register(t.context, *row, value);
      EXPECT_EQ(value, fact.after_ones) << describe(f) << " " << row->name;
    }
  }
  TestCpu u(model);
  switch_mode(u.cpu, Mode::User);
  // CNTFRQ's PL0 access depends on CNTKCTL, which is 0 as in QEMU.
  EXPECT_EQ(access_allowed(u.cpu, *row, false), f.access[2] == 'R') << describe(f) << " " << row->name;
  EXPECT_EQ(access_allowed(u.cpu, *row, true), f.access[3] == 'W') << describe(f) << " " << row->name;
}

TEST(QemuFacts, CortexA15) {
  for (const RegisterFact& f : test::kQemuCortexA15) {
    // DBGDSCRint: here PL0 may read it, as in the manual; see Pl0.DebugAtPl0FollowsUdccDis.
    if (f.coprocessor == 14 && f.crn == 0 && f.crm == 1 && f.opc2 == 0) continue;
    check_facts(CpuModel::CortexA15, f);
  }
}
TEST(QemuFacts, CortexA7) {
  for (const RegisterFact& f : test::kQemuCortexA7) check_facts(CpuModel::CortexA7, f);
}
TEST(QemuFacts, CacheSizes) {
  TestCpu t;
  constexpr uint32_t kCcsidr[] = {0x701fe00a, 0x201fe00a, 0x711fe07a, 0};
  for (uint32_t i = 0; i < 4; ++i) {
    t.write(15, 0, 2, 0, 0, i);
    EXPECT_EQ(t.value(15, 0, 1, 0, 0), kCcsidr[i]);
  }
}

TEST(Table, NoOverlapsAndEveryRowIsFound) {
  for (auto rows : {cp15_rows(), cp14_rows()}) {
    std::set<std::tuple<bool, int, int, int, int>> seen;
    std::set<std::string> names;
    for (const SystemRegister& r : rows) {
      EXPECT_TRUE(seen.insert({r.is_64bit, r.crn, r.opc1, r.crm, r.opc2}).second) << r.name;
      EXPECT_TRUE(names.insert(r.name).second || std::string(r.name).starts_with("NOP")) << r.name;
      const SystemRegister* found = r.is_64bit ? find_system_register_64(r.coprocessor, r.opc1, r.crm)
                                               : find_system_register(r.coprocessor, r.crn, r.opc1, r.crm, r.opc2);
      EXPECT_EQ(found, &r) << r.name;
    }
  }
}

TEST(Table, EveryAllowedAccessHasAnImplementation) {
  for (auto rows : {cp15_rows(), cp14_rows()}) {
    for (const SystemRegister& r : rows) {
      EXPECT_NE(r.access, 0) << r.name;
      if (r.access & kPl1Read) {
        EXPECT_TRUE(r.read || r.plain_read()) << r.name;
      }
      if (r.access & kPl1Write) {
        EXPECT_TRUE(r.write || r.plain_write()) << r.name;
      }
      // PL0 may do nothing that PL1 may not.
      EXPECT_FALSE((r.access & kPl0Read) && !(r.access & kPl1Read)) << r.name;
      EXPECT_FALSE((r.access & kPl0Write) && !(r.access & kPl1Write)) << r.name;
      if (r.bytes) {
        EXPECT_LE(r.offset + r.bytes, sizeof(CpuState)) << r.name;
        EXPECT_EQ(r.bytes, r.is_64bit ? 8 : 4) << r.name;
      }
    }
  }
}

TEST(Table, PredictedEffectsCoverActualOnes) {
  for (auto rows : {cp15_rows(), cp14_rows()}) {
    for (const SystemRegister& r : rows) {
      if (!(r.access & kPl1Write)) continue;
      for (uint64_t value : {uint64_t{0}, ~uint64_t{0}, uint64_t{0x40000003}}) {
        TestCpu t;
        const uint32_t effects = write_system_register(t.context, r, value);
        EXPECT_EQ(effects & ~r.write_effects, 0u) << r.name;
        if (r.plain_write()) {
          EXPECT_EQ(effects, r.write_effects) << r.name;
        }
      }
    }
  }
}

TEST(Table, PlainRowsNameTheRightField) {
  const struct {
    unsigned crn, opc1, crm, opc2;
    size_t offset;
  } rows[] = {
      {13, 0, 0, 2, offsetof(CpuState, cp15.tpidrurw)}, {13, 0, 0, 3, offsetof(CpuState, cp15.tpidruro)},
      {13, 0, 0, 4, offsetof(CpuState, cp15.tpidrprw)}, {3, 0, 0, 0, offsetof(CpuState, cp15.dacr)},
      {5, 0, 0, 0, offsetof(CpuState, cp15.dfsr)},      {6, 0, 0, 2, offsetof(CpuState, cp15.ifar)},
  };
  for (const auto& row : rows) {
    const SystemRegister* r = find_system_register(15, row.crn, row.opc1, row.crm, row.opc2);
    ASSERT_NE(r, nullptr);
    EXPECT_TRUE(r->plain_read() && r->plain_write()) << r->name;
    EXPECT_EQ(r->offset, row.offset) << r->name;
  }
}

TEST(Undefined, SecurityExtensionsAndUnallocated) {
  TestCpu t;
  uint64_t v = 0;
  EXPECT_EQ(t.read(15, 1, 0, 1, 0, v), uint32_t{kEffectUndefined});   // SCR
  EXPECT_EQ(t.read(15, 1, 0, 1, 1, v), uint32_t{kEffectUndefined});   // SDER
  EXPECT_EQ(t.read(15, 1, 0, 1, 2, v), uint32_t{kEffectUndefined});   // NSACR
  EXPECT_EQ(t.read(15, 12, 0, 0, 1, v), uint32_t{kEffectUndefined});  // MVBAR
  EXPECT_EQ(t.read(15, 1, 4, 1, 0, v), uint32_t{kEffectUndefined});   // HCR
  EXPECT_EQ(t.read(15, 4, 0, 0, 0, v), uint32_t{kEffectUndefined});
  EXPECT_EQ(find_system_register(13, 0, 0, 0, 0), nullptr);
  EXPECT_EQ(find_system_register_64(15, 4, 14), nullptr);  // CNTVOFF
  EXPECT_EQ(find_system_register_64(10, 0, 2), nullptr);
  EXPECT_EQ(t.value(15, 0, 0, 7, 7), 0u);                             // reserved ID: RAZ
  EXPECT_EQ(t.write(15, 0, 0, 7, 7, 1), uint32_t{kEffectUndefined});  // and read-only
  EXPECT_EQ(t.write(15, 15, 1, 2, 3, 1), uint32_t{kEffectNone});      // IMPLEMENTATION DEFINED: WI
}

TEST(Pl0, OnlyThreadIdRegistersBarriersAndUserEnable) {
  TestCpu t;
  switch_mode(t.cpu, Mode::User);
  std::set<std::string> readable, writable;
  for (const SystemRegister& r : cp15_rows()) {
    if (access_allowed(t.cpu, r, false)) readable.insert(r.name);
    if (access_allowed(t.cpu, r, true)) writable.insert(r.name);
  }
  EXPECT_EQ(readable, (std::set<std::string>{"TPIDRURW", "TPIDRURO", "PMUSERENR"}));
  EXPECT_EQ(writable, (std::set<std::string>{"TPIDRURW", "CP15ISB", "CP15DSB", "CP15DMB"}));
}

TEST(Pl0, CounterAndTimerAccessFollowsCntkctl) {
  const struct {
    uint32_t cntkctl;
    bool pct, vct, frq, ptimer, vtimer;
  } cases[] = {{0, false, false, false, false, false},
               {1, true, false, true, false, false},
               {2, false, true, true, false, false},
               {1 << 9, false, false, false, true, false},
               {1 << 8, false, false, false, false, true}};
  for (const auto& c : cases) {
    TestCpu t;
    t.write(15, 14, 0, 1, 0, c.cntkctl);
    switch_mode(t.cpu, Mode::User);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register_64(15, 0, 14), false), c.pct);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register_64(15, 1, 14), false), c.vct);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register(15, 14, 0, 0, 0), false), c.frq);
    EXPECT_FALSE(access_allowed(t.cpu, *find_system_register(15, 14, 0, 0, 0), true));
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register(15, 14, 0, 2, 1), true), c.ptimer);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register_64(15, 2, 14), true), c.ptimer);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register(15, 14, 0, 3, 0), true), c.vtimer);
    EXPECT_EQ(access_allowed(t.cpu, *find_system_register_64(15, 3, 14), true), c.vtimer);
  }
}

TEST(Pl0, DebugAtPl0FollowsUdccDis) {
  TestCpu t;
  switch_mode(t.cpu, Mode::User);
  uint64_t v = 0;
  EXPECT_EQ(t.read(14, 0, 0, 1, 0, v), uint32_t{kEffectNone});
  t.cpu.debug.dbgdscr = 1u << 12;
  EXPECT_EQ(t.read(14, 0, 0, 1, 0, v), uint32_t{kEffectUndefined});
  EXPECT_EQ(t.read(14, 0, 0, 0, 0, v), uint32_t{kEffectUndefined});
}

TEST(Sctlr, FixedBitsAndEffects) {
  TestCpu t;
  EXPECT_EQ(t.write(15, 1, 0, 0, 0, 0), uint32_t{kEffectEndBlock});
  EXPECT_EQ(t.cpu.cp15.sctlr, 0x00c50058u);  // CP15BEN is cleared
  EXPECT_EQ(t.write(15, 7, 0, 5, 4, 0), uint32_t{kEffectUndefined});
  const uint32_t effects = t.write(15, 1, 0, 0, 0, 0x00c5187f);
  EXPECT_EQ(effects, uint32_t{kEffectEndBlock | kEffectRegimeChanged});
  EXPECT_EQ(t.cpu.strict_alignment, 1);
  EXPECT_EQ(t.write(15, 7, 0, 5, 4, 0), uint32_t{kEffectContextSync | kEffectEndBlock});
  EXPECT_FALSE(swp_enabled(t.cpu));
  t.write(15, 1, 0, 0, 0, 0x00c5187f | kSctlrSw);
  EXPECT_TRUE(swp_enabled(t.cpu));
}

// Everything must be aligned with SCTLR.A set, and with the MMU off, where data is
// Strongly-ordered.
TEST(Sctlr, StrictAlignment) {
  TestCpu t;
  EXPECT_EQ(t.cpu.strict_alignment, 1);
  constexpr uint32_t kBase = 0x00c50078;
  struct Step {
    uint32_t bits;
    bool strict, changes;
  };
  for (const Step& s : {Step{kSctlrM, false, true}, Step{kSctlrM | kSctlrA, true, true}, Step{kSctlrA, true, false},
                        Step{0, true, false}, Step{kSctlrM, false, true}, Step{0, true, true}}) {
    const uint32_t effects = t.write(15, 1, 0, 0, 0, kBase | s.bits);
    EXPECT_EQ(t.cpu.strict_alignment, s.strict) << s.bits;
    EXPECT_EQ((effects & kEffectAlignmentChanged) != 0, s.changes) << s.bits;
  }
}

// ID_PFR0, ID_PFR1 and ID_ISAR4 say that ThumbEE, the Security and the Virtualization Extensions
// are absent; so what they add is UNDEFINED.
TEST(AbsentExtensions, RegistersAreUndefined) {
  for (const CpuModel model : {CpuModel::CortexA15, CpuModel::CortexA7}) {
    TestCpu t(model);
    EXPECT_EQ(t.value(15, 0, 0, 1, 0) >> 12 & 15, 0u) << "State3";
    EXPECT_EQ(t.value(15, 0, 0, 1, 1) & 0xf0f0, 0u) << "Virtualization and Security";
    EXPECT_EQ(t.value(15, 0, 0, 2, 4) >> 12 & 15, 0u) << "SMC_instrs";
  }
  struct Encoding {
    const char* name;
    unsigned coprocessor, crn, opc1, crm, opc2;
  };
  constexpr Encoding kEncodings[] = {
      {"SCR", 15, 1, 0, 1, 0},        {"SDER", 15, 1, 0, 1, 1},       {"NSACR", 15, 1, 0, 1, 2},
      {"MVBAR", 15, 12, 0, 0, 1},     {"ATS12NSOPR", 15, 7, 0, 8, 4}, {"ATS12NSOPW", 15, 7, 0, 8, 5},
      {"ATS12NSOUR", 15, 7, 0, 8, 6}, {"ATS12NSOUW", 15, 7, 0, 8, 7}, {"VPIDR", 15, 0, 4, 0, 0},
      {"VMPIDR", 15, 0, 4, 0, 5},     {"HSCTLR", 15, 1, 4, 0, 0},     {"HACTLR", 15, 1, 4, 0, 1},
      {"HCR", 15, 1, 4, 1, 0},        {"HDCR", 15, 1, 4, 1, 1},       {"HCPTR", 15, 1, 4, 1, 2},
      {"HSTR", 15, 1, 4, 1, 3},       {"HTCR", 15, 2, 4, 0, 2},       {"VTCR", 15, 2, 4, 1, 2},
      {"HSR", 15, 5, 4, 2, 0},        {"HDFAR", 15, 6, 4, 0, 0},      {"HIFAR", 15, 6, 4, 0, 2},
      {"HPFAR", 15, 6, 4, 0, 4},      {"ATS1HR", 15, 7, 4, 8, 0},     {"ATS1HW", 15, 7, 4, 8, 1},
      {"TLBIALLHIS", 15, 8, 4, 3, 0}, {"TLBIMVAH", 15, 8, 4, 7, 1},   {"TLBIALLNSNH", 15, 8, 4, 7, 4},
      {"HMAIR0", 15, 10, 4, 2, 0},    {"HVBAR", 15, 12, 4, 0, 0},     {"HTPIDR", 15, 13, 4, 0, 2},
      {"CNTHCTL", 15, 14, 4, 1, 0},   {"CNTHP_CTL", 15, 14, 4, 2, 1}, {"TEECR", 14, 0, 6, 0, 0},
      {"TEEHBR", 14, 1, 6, 0, 0},
  };
  for (const Encoding& e : kEncodings)
    EXPECT_EQ(find_system_register(e.coprocessor, e.crn, e.opc1, e.crm, e.opc2), nullptr) << e.name;
  for (const auto& [opc1, crm] :
       {std::pair{4u, 2u}, {6u, 2u}, {4u, 14u}, {6u, 14u}})  // HTTBR, VTTBR, CNTVOFF, CNTHP_CVAL
    EXPECT_EQ(find_system_register_64(15, opc1, crm), nullptr) << opc1 << " c" << crm;
}

TEST(Cpacr, ControlsFloatingPointByPrivilege) {
  TestCpu t;
  t.cpu.fpexc = 1u << 30;
  EXPECT_FALSE(t.cpu.fp_mode & kFpModeEnabled);
  EXPECT_EQ(t.write(15, 1, 0, 0, 2, 0x00500000), uint32_t{kEffectFpEnableChanged | kEffectEndBlock});  // PL1 only
  EXPECT_TRUE(t.cpu.fp_mode & kFpModeEnabled);
  EXPECT_TRUE(t.cpu.fp_mode & kFpModeSimdEnabled);
  EXPECT_TRUE(switch_mode(t.cpu, Mode::User) & kEffectFpEnableChanged);
  EXPECT_FALSE(t.cpu.fp_mode & kFpModeEnabled);
  switch_mode(t.cpu, Mode::Supervisor);
  t.write(15, 1, 0, 0, 2, 0x80f00000);  // ASEDIS
  EXPECT_TRUE(t.cpu.fp_mode & kFpModeEnabled);
  EXPECT_FALSE(t.cpu.fp_mode & kFpModeSimdEnabled);
}

TEST(TranslationTables, WidthsAndMasks) {
  TestCpu t;
  write_system_register(t.context, *find_system_register_64(15, 0, 2), ~uint64_t{0});
  EXPECT_EQ(t.cpu.cp15.ttbr0, 0x00ff00ffffffffffull);
  EXPECT_EQ(t.write(15, 2, 0, 0, 0, 0x40004000), uint32_t{kEffectRegimeChanged});
  EXPECT_EQ(t.cpu.cp15.ttbr0, 0x00ff00ff40004000ull);  // a 32-bit write keeps the upper half
  t.write(15, 2, 0, 0, 2, 0x7fffffff);
  EXPECT_EQ(t.cpu.cp15.ttbcr, 0x37u);
  t.write(15, 2, 0, 0, 2, 0xffffffff);
  EXPECT_EQ(t.cpu.cp15.ttbcr, 0xffc73f87u);
}

TEST(Tlb, OperationsReachTheMmu) {
  TestCpu t;
  EXPECT_EQ(t.write(15, 8, 0, 7, 0, 0), uint32_t{kEffectTlbMaintenance});
  t.write(15, 8, 0, 7, 1, 0x40001234);
  t.write(15, 8, 0, 7, 2, 0x112);
  t.write(15, 8, 0, 7, 3, 0x40001fff);
  EXPECT_EQ(t.mmu.log, (std::vector<std::string>{"all", "mva 1073745920 52", "asid 18", "mvaa 1073745920"}));
}

TEST(Tlb, InnerShareableOperationsAreBroadcast) {
  TestCpu t;
  EXPECT_EQ(t.write(15, 8, 0, 3, 0, 0), uint32_t{kEffectTlbMaintenance});
  t.write(15, 8, 0, 3, 1, 0x2005);
  t.write(15, 8, 0, 3, 2, 0x112);
  t.write(15, 8, 0, 3, 3, 0x40001fff);
  EXPECT_EQ(t.mmu.log, (std::vector<std::string>{"all broadcast", "mva 8192 5 broadcast", "asid 18 broadcast",
                                                 "mvaa 1073745920 broadcast"}));
  t.mmu.log.clear();
  for (const unsigned crm : {5, 6, 7})
    for (unsigned opc2 = 0; opc2 < 3; opc2++) t.write(15, 8, 0, crm, opc2, 0);
  EXPECT_EQ(t.mmu.log.size(), 9u);
  for (const std::string& line : t.mmu.log) EXPECT_EQ(line.find("broadcast"), std::string::npos);
}

TEST(Caches, InstructionCacheOperationsSynchronizeCode) {
  TestCpu t;
  struct Operation {
    unsigned crm, opc2;
  };
  // ICIALLUIS, ICIALLU, ICIMVAU
  for (const Operation& o : {Operation{1, 0}, Operation{5, 0}, Operation{5, 1}})
    EXPECT_EQ(t.write(15, 7, 0, o.crm, o.opc2, 0x1000), uint32_t{kEffectInstructionCacheInvalidate});
  EXPECT_EQ(t.mmu.log, (std::vector<std::string>(3, "synchronize code")));
  // BPIALLIS, BPIALL, BPIMVA, DCCMVAU
  for (const Operation& o : {Operation{1, 6}, Operation{5, 6}, Operation{5, 7}, Operation{11, 1}})
    EXPECT_EQ(t.write(15, 7, 0, o.crm, o.opc2, 0x1000), uint32_t{kEffectNone});
  EXPECT_EQ(t.mmu.log.size(), 3u);
  t.write(15, 7, 0, 10, 4, 0);  // CP15DSB
  EXPECT_EQ(t.mmu.log.back(), "synchronize");
}

// Values of QEMU 7.2 for these CPUs with -smp 4.
TEST(Identification, OfSeveralCpus) {
  for (const CpuModel model : {CpuModel::CortexA15, CpuModel::CortexA7})
    for (uint32_t index = 0; index < 4; index++) {
      TestCpu t(model, index, 4);
      EXPECT_EQ(t.value(15, 0, 0, 0, 5), 0x80000000u | index);  // MPIDR: multiprocessing, not uniprocessor, no MT
      EXPECT_EQ(t.value(15, 9, 1, 0, 2), 0x03800000u);          // L2CTLR: 4 CPUs, with a GIC
      EXPECT_EQ(t.value(15, 0, 1, 0, 1), 0x0a200023u);          // CLIDR: LoUIS and LoUU are L1
      EXPECT_EQ(t.value(15, 0, 0, 1, 7), 0x02102211u);          // ID_MMFR3: maintenance is broadcast
      EXPECT_EQ(t.value(15, 1, 0, 0, 1), 0u);                   // ACTLR: SMP is for the guest to set,
      t.write(15, 1, 0, 0, 1, 1 << 6);
      EXPECT_EQ(t.value(15, 1, 0, 0, 1), 1u << 6);  // and reads as written
    }
  // The field has two bits.
  EXPECT_EQ(TestCpu(CpuModel::CortexA15, 7, 8).value(15, 9, 1, 0, 2), 0x03800000u);
  EXPECT_EQ(TestCpu(CpuModel::CortexA15, 7, 8).value(15, 0, 0, 0, 5), 0x80000007u);
}

TEST(AddressTranslation, ParInBothFormats) {
  TestCpu t;
  t.mmu.translation.ok = true;
  t.mmu.translation.pa = 0x45678123;
  t.mmu.translation.par = 0x45678ed4;  // whatever the walker makes of attributes
  EXPECT_EQ(t.write(15, 7, 0, 8, 0, 0x1123), uint32_t{kEffectNone});
  EXPECT_EQ(t.value(15, 7, 0, 4, 0), 0x45678ed4u);
  t.write(15, 7, 0, 8, 3, 0x1123);
  t.write(15, 7, 0, 8, 2, 0x1123);
  EXPECT_EQ(t.mmu.log, (std::vector<std::string>{"translate 4387 load privileged", "translate 4387 store user",
                                                 "translate 4387 load user"}));
  t.mmu.translation = {};
  t.mmu.translation.fsr = 0x80f;  // permission fault, page, write
  t.mmu.translation.par = 0x1f;
  t.write(15, 7, 0, 8, 1, 0);
  EXPECT_EQ(t.value(15, 7, 0, 4, 0), 0x1fu);
  t.cpu.cp15.ttbcr = kTtbcrEae;
  t.mmu.translation.ok = true;
  t.mmu.translation.par = 0x44000003'45678900;
  t.write(15, 7, 0, 8, 0, 0);
  EXPECT_EQ(t.cpu.cp15.par, 0x44000003'45678900ull);
}

TEST(AddressTranslation, ExternalAbortOnTheWalkIsADataAbort) {
  TestCpu t;
  t.mmu.translation.fsr = 0x00c;
  EXPECT_EQ(t.write(15, 7, 0, 8, 0, 0x1000), uint32_t{kEffectDataAbort});
  EXPECT_EQ(t.context.abort_fsr, 0x00cu);
  EXPECT_EQ(t.context.abort_far, 0x1000u);
}

TEST(Isr, ShowsLines) {
  TestCpu t;
  raise_line(t.cpu, kLineIrq);
  EXPECT_EQ(t.value(15, 12, 0, 1, 0), 0x80u);
  raise_line(t.cpu, kLineFiq);
  EXPECT_EQ(t.value(15, 12, 0, 1, 0), 0xc0u);
}

TEST(Performance, CycleCounter) {
  TestCpu t;
  t.platform.now = 1000;
  t.write(15, 9, 0, 12, 0, 1);           // E
  t.write(15, 9, 0, 12, 1, 0x80000000);  // cycle counter on
  t.platform.now = 1100;
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 1600u);
  t.write(15, 9, 0, 12, 0, 9);  // D: every 64th
  t.platform.now = 1110;        // 160 cycles: 2, remainder 32
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 1602u);
  t.platform.now = 1112;  // 32 more make one
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 1603u);
  t.write(15, 9, 0, 12, 0, 5);              // C: reset
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 1u);  // the read takes a cycle
  EXPECT_EQ(t.value(15, 9, 0, 12, 3), 0u);
  t.write(15, 9, 0, 13, 0, 0xfffffff0);
  t.platform.now += 1;
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 0u);
  EXPECT_EQ(t.value(15, 9, 0, 12, 3), 0x80000000u);  // overflow
  t.write(15, 9, 0, 12, 3, 0x80000000);
  EXPECT_EQ(t.value(15, 9, 0, 12, 3), 0u);
  t.write(15, 9, 0, 12, 2, 0x80000000);  // off
  t.platform.now += 50;
  EXPECT_EQ(t.value(15, 9, 0, 13, 0), 0u);
}

TEST(Performance, EventCountersAndUserAccess) {
  TestCpu t;
  t.write(15, 9, 0, 12, 0, 1);
  t.write(15, 9, 0, 12, 5, 2);  // PMSELR
  t.write(15, 9, 0, 13, 1, 0);  // SW_INCR
  t.write(15, 9, 0, 12, 1, 4);
  t.write(15, 9, 0, 12, 4, 6);  // PMSWINC on 1 (off) and 2
  EXPECT_EQ(t.value(15, 9, 0, 13, 2), 1u);
  t.write(15, 9, 0, 14, 0, 1);  // PMUSERENR.EN
  switch_mode(t.cpu, Mode::User);
  EXPECT_EQ(t.value(15, 9, 0, 13, 2), 1u);
  EXPECT_EQ(t.write(15, 9, 0, 14, 1, 1), uint32_t{kEffectUndefined});  // PMINTENSET stays privileged
  EXPECT_EQ(t.write(15, 9, 0, 14, 0, 0), uint32_t{kEffectUndefined});
}

TEST(Debug, OsLockAndTransmitRegister) {
  TestCpu t;
  t.write(14, 1, 0, 0, 4, 0);
  EXPECT_EQ(t.value(14, 1, 0, 1, 4), 8u);
  t.write(14, 1, 0, 0, 4, 0xc5acce55);
  EXPECT_EQ(t.value(14, 1, 0, 1, 4), 10u);
  t.write(14, 0, 0, 5, 0, 'x');
  EXPECT_EQ(t.value(14, 0, 0, 1, 0), 1u << 29);  // TXfull
}

}  // namespace
}  // namespace crosswalk::arm
