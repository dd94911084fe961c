// SPDX-License-Identifier: GPL-2.0-or-later
// Alignment: what each kind of memory demands of each kind of access (ARM DDI 0406C, A3.2.1), and
// which fault comes first.
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Alignment);

constexpr uint32_t kWnr = 1 << 11, kTranslation = 0x7, kPermission = 0xf, kAlignment = 0x1;
// Small pages (B3.5.1): TEX in bits 8:6, C in 3, B in 2.
constexpr uint32_t kAttributes = 7 << 6 | 1 << 3 | 1 << 2, kDeviceMemory = 1 << 2, kStronglyOrdered = 0;

void map_as(Guest& g, uint32_t va, uint32_t pa, uint32_t attributes, uint32_t flags = Guest::kUserRw) {
  g.write32(g.entry(va), (Guest::page(pa, flags) & ~kAttributes) | attributes);
}

struct Access {
  const char* name;
  uint32_t word;     // the base is R0
  uint32_t aligned;  // what Device memory demands
  uint32_t always;   // what all memory demands
  bool write;
};
constexpr Access kAccesses[] = {
    {"LDR R1, [R0]", 0xe5901000, 4, 1, false},          {"STR R1, [R0]", 0xe5801000, 4, 1, true},
    {"LDRH R1, [R0]", 0xe1d010b0, 2, 1, false},         {"STRH R1, [R0]", 0xe1c010b0, 2, 1, true},
    {"LDRSH R1, [R0]", 0xe1d010f0, 2, 1, false},        {"LDRB R1, [R0]", 0xe5d01000, 1, 1, false},
    {"STRB R1, [R0]", 0xe5c01000, 1, 1, true},          {"LDRT R1, [R0], #0", 0xe4b01000, 4, 1, false},
    {"STRT R1, [R0], #0", 0xe4a01000, 4, 1, true},      {"LDR R1, [R0, #4]", 0xe5901004, 4, 1, false},
    {"LDRD R2, [R0]", 0xe1c020d0, 4, 4, false},         {"STRD R2, [R0]", 0xe1c020f0, 4, 4, true},
    {"LDM R0, {R1-R3}", 0xe890000e, 4, 4, false},       {"STM R0, {R1-R3}", 0xe880000e, 4, 4, true},
    {"VLDR D0, [R0]", 0xed900b00, 4, 4, false},         {"VLDM R0, {D0-D3}", 0xec900b08, 4, 4, false},
    {"VSTM R0, {D0-D3}", 0xec800b08, 4, 4, true},       {"VLD1.8 {D0-D1}, [R0]", 0xf4200a0f, 1, 1, false},
    {"VLD1.16 {D0-D1}, [R0]", 0xf4200a4f, 2, 1, false}, {"VLD1.32 {D0-D1}, [R0]", 0xf4200a8f, 4, 1, false},
    {"VLD1.64 {D0-D1}, [R0]", 0xf4200acf, 8, 1, false}, {"VST1.8 {D0-D3}, [R0]", 0xf400020f, 1, 1, true},
    {"VST1.64 {D0-D3}, [R0]", 0xf40002cf, 8, 1, true},  {"VLD2.8 {D0-D1}, [R0]", 0xf420080f, 1, 1, false},
    {"VLD3.16 {D0-D2}, [R0]", 0xf420044f, 2, 1, false}, {"VST4.32 {D0-D3}, [R0]", 0xf400008f, 4, 1, true},
    {"VLD1.16 {D0[1]}, [R0]", 0xf4a0044f, 2, 1, false}, {"VLD1.8 {D0}, [R0:64]", 0xf420071f, 8, 8, false},
    {"LDREX R1, [R0]", 0xe1901f9f, 4, 4, false},
};

// Runs the word at `pc` three times for each address, so that the code that a fault made is met
// too.
void expect_alignment(Guest& g, uint32_t pc, uint32_t base, uint32_t Access::*demanded) {
  for (const Access& a : kAccesses) {
    g.words(pc, {a.word, kHvc});
    for (uint32_t round = 0; round < 3; round++) {
      for (const uint32_t offset : {0u, 1u, 2u, 4u, 8u}) {
        SCOPED_TRACE(std::string(a.name) + " at " + std::to_string(offset));
        g.cpu.r[0] = base + offset;
        g.cpu.r[1] = g.cpu.r[2] = g.cpu.r[3] = 0x5a5a5a5a;
        g.run(pc);
        if (offset % (a.*demanded) == 0) {
          ASSERT_EQ(g.stopped_at(), Exception::None);
          continue;
        }
        ASSERT_EQ(g.stopped_at(), Exception::DataAbort);
        EXPECT_EQ(g.cpu.cp15.dfsr, kAlignment | (a.write ? kWnr : 0));
        EXPECT_EQ(g.cpu.cp15.dfar, base + offset + (a.word == 0xe5901004 ? 4 : 0));
        EXPECT_EQ(g.cpu.r[14], pc + 8);
        EXPECT_EQ(g.cpu.r[0], base + offset);
        EXPECT_EQ(g.cpu.r[1], 0x5a5a5a5au);
      }
    }
    pc += 0x10;
  }
}

// Three pages that continue each other in RAM: whatever entering one brings along, each has its own
// rule.
TEST_P(Alignment, ByMemoryType) {
  auto g = make_guest();
  g->map(kVa, kData);
  map_as(*g, kVa + 0x1000, kData + 0x1000, kDeviceMemory);
  map_as(*g, kVa + 0x2000, kData + 0x2000, kStronglyOrdered);
  for (uint32_t i = 0; i < 0x3000; i += 4) g->write32(kData + i, i);
  for (const uint32_t page : {0u, 0x1000u, 0x2000u, 0u}) {
    SCOPED_TRACE(page);
    expect_alignment(*g, kCode + page, kVa + page + 0x40, page == 0 ? &Access::always : &Access::aligned);
  }
}

// The same code for all: an instruction that has met one kind of memory treats another as that
// demands.
TEST_P(Alignment, OneInstructionOnTwoTypes) {
  auto g = make_guest();
  g->map(kVa, kData);
  map_as(*g, kVa + 0x1000, kData + 0x1000, kDeviceMemory);
  g->write32(kData + 0x40, 0x44332211);
  g->write32(kData + 0x44, 0x88776655);
  g->write32(kData + 0x1040, 0x12345678);
  g->words(kCode, {ldr(1, 0), kHvc});
  for (int round = 0; round < 3; round++) {
    g->cpu.r[0] = kVa + 0x42;
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[1], 0x66554433u);
    g->cpu.r[0] = kVa + 0x1040;
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[1], 0x12345678u);
    g->cpu.r[0] = kVa + 0x1042;
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::DataAbort);
  }
}

TEST_P(Alignment, MmuOff) {
  auto g = make_guest();
  Asm off(kCode);
  off({0xee114f10 /* MRC SCTLR */, 0xe3c44001 /* BIC R4, R4, #1 */, 0xee014f10, kIsb, kHvc});
  g->code(off, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  expect_alignment(*g, kCode + 0x1000, kData + 0x40, &Access::aligned);
  // And on again.
  Asm on(kCode + 0x800);
  on({0xee114f10, 0xe3844001 /* ORR R4, R4, #1 */, 0xee014f10, kIsb, kHvc});
  g->code(on, kCode + 0x800);
  g->run(kCode + 0x800);
  expect_alignment(*g, kCode + 0x1000, kData + 0x40, &Access::always);
}

// A page that becomes Device memory, and back.
TEST_P(Alignment, AfterRemapping) {
  auto g = make_guest();
  g->words(kCode, {ldr(1, 0), str(1, 0), kHvc});
  for (int round = 0; round < 4; round++) {
    map_as(*g, kVa, kData, round & 1 ? kDeviceMemory : kAttributes & ~(7u << 6));
    g->flush_tlb();
    for (const uint32_t offset : {0u, 2u}) {
      g->cpu.r[0] = kVa + offset;
      g->run(kCode);
      EXPECT_EQ(g->stopped_at(), (round & 1) && offset ? Exception::DataAbort : Exception::None) << round;
    }
  }
}

// The memory type is known when the walk is done; its check comes before that of permissions
// (SCTLR.A's would come before everything).
TEST_P(Alignment, Priority) {
  auto g = make_guest();
  map_as(*g, kVa + 0x1000, kData, kDeviceMemory, Guest::kPrivileged);
  map_as(*g, kVa + 0x2000, kData, kDeviceMemory, Guest::kReadOnly);
  g->map(kVa + 0x3000, kData);
  map_as(*g, kVa + 0x4000, kData + 0x1000, kDeviceMemory);
  g->map(kVa + 0x5000, kData);
  constexpr uint32_t kLdrt = 0xe4b01000;
  struct Case {
    const char* name;
    uint32_t word, va, dfsr, dfar;
  };
  const Case cases[] = {
      {"not mapped", ldr(1, 0), kVa + 2, kTranslation, kVa + 2},
      {"privileged, aligned", kLdrt, kVa + 0x1000, kPermission, kVa + 0x1000},
      {"privileged, unaligned", kLdrt, kVa + 0x1002, kAlignment, kVa + 0x1002},
      {"read-only, aligned", str(1, 0), kVa + 0x2000, kPermission | kWnr, kVa + 0x2000},
      {"read-only, unaligned", str(1, 0), kVa + 0x2002, kAlignment | kWnr, kVa + 0x2002},
      {"from Normal to Device", ldr(1, 0), kVa + 0x3ffe, kAlignment, kVa + 0x4000},
      {"from Device to Normal", ldr(1, 0), kVa + 0x4ffe, kAlignment, kVa + 0x4ffe},
      {"from Normal to nothing", ldr(1, 0), kVa + 0x5ffe, kTranslation, kVa + 0x6000},
      {"a device", ldr(1, 0), kDevice + 2, kAlignment, kDevice + 2},
      {"where nothing answers", ldr(1, 0), kUnassigned + 2, kAlignment, kUnassigned + 2},
  };
  uint32_t pc = kCode;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    g->words(pc, {c.word, kHvc});
    for (int round = 0; round < 2; round++) {
      g->cpu.r[0] = c.va;
      g->run(pc);
      ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
      EXPECT_EQ(g->cpu.cp15.dfsr, c.dfsr);
      EXPECT_EQ(g->cpu.cp15.dfar, c.dfar);
    }
    pc += 0x20;
  }
  EXPECT_TRUE(g->accesses.empty());
}

// Code in Device memory is told of stores there.
TEST_P(Alignment, CodeInDeviceMemory) {
  auto g = make_guest();
  map_as(*g, kVa, kData, kDeviceMemory);
  g->words(kCode, {str(1, 0), 0xe12fff32 /* BLX R2 */, kHvc});
  for (uint32_t i = 1; i < 5; i++) {
    g->words(kData, {kNop, kBxLr});
    g->cpu.r[0] = g->cpu.r[2] = kVa;
    g->cpu.r[1] = mov_imm(3, i);
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[3], i);
  }
}

}  // namespace
}  // namespace crosswalk::test
