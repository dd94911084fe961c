// SPDX-License-Identifier: GPL-2.0-or-later
// Instructions of extensions that the ID registers say are absent (ARM DDI 0406C, B4.1.93):
// Security, Virtualization, ThumbEE. HVC is the exception: it calls the firmware.
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(AbsentExtensions);

struct Instruction {
  const char* name;
  bool thumb;
  uint32_t word;  // T32: the first halfword in bits 31:16
};
constexpr Instruction kInstructions[] = {
    {"SMC #0", false, 0xe1600070},
    {"SMC #15", false, 0xe160007f},
    {"ERET", false, 0xe160006e},
    {"MRS R0, SP_abt", false, 0xe1050300},
    {"MRS R0, R8_usr", false, 0xe1000200},
    {"MRS R0, SPSR_irq", false, 0xe1400300},
    {"MRS R0, ELR_hyp", false, 0xe10e0300},
    {"MSR SP_und, R0", false, 0xe127f300},
    {"MSR SPSR_fiq, R0", false, 0xe16ef200},
    {"SMC #0", true, 0xf7f08000},
    {"MRS R0, SP_abt", true, 0xf3e58030},
    {"MRS R0, SPSR_irq", true, 0xf3f08030},
    {"MSR SP_und, R0", true, 0xf3808730},
    {"ENTERX", true, 0xf3bf8f1f},
    {"LEAVEX", true, 0xf3bf8f0f},
};

TEST_P(AbsentExtensions, InstructionsAreUndefined) {
  for (const Instruction& i : kInstructions) {
    SCOPED_TRACE(std::string(i.name) + (i.thumb ? ", T32" : ", A32"));
    auto g = make_guest();
    if (i.thumb)
      g->halves(kCode, {static_cast<uint16_t>(i.word >> 16), static_cast<uint16_t>(i.word), 0xf7e0, 0x8000});
    else
      g->words(kCode, {i.word, kHvc});
    g->cpu.r[0] = 0x1234;
    g->run(kCode | i.thumb);
    EXPECT_EQ(g->stopped_at(), Exception::Undefined);
    EXPECT_EQ(g->cpu.r[0], 0x1234u);
    EXPECT_EQ(g->cpu.r[14], kCode + (i.thumb ? 2 : 4));
    EXPECT_EQ(g->spsr(kBankUnd) & 0x1f, 0x13u);
  }
}

// T32's ERET is SUBS PC, LR, #0, which is there.
TEST_P(AbsentExtensions, SubsPcLrIsThere) {
  auto g = make_guest();
  g->halves(kCode, {0xf3de, 0x8f00});
  g->words(kCode + 0x40, {mov_imm(1, 7), kHvc});
  Asm a(kCode + 0x80);
  a.set(2, 0x1f)({0xe169f002 /* MSR SPSR_fc, R2 */}).set(14, kCode + 0x40).set(3, kCode | 1)({bx(3)});
  g->code(a, kCode + 0x80);
  g->run(kCode + 0x80);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[1], 7u);
  EXPECT_EQ(g->cpu.mode, 0x1f);
}

// Monitor and Hyp modes do not exist: CPS and MSR leave the mode as it is; SRS to their stacks is
// UNDEFINED.
TEST_P(AbsentExtensions, MonitorAndHypModes) {
  auto g = make_guest();
  g->words(kCode, {0xf1020016 /* CPS #0x16 */, 0xf102001a /* CPS #0x1a */, mov_imm(0, 0xd6),
                   0xe121f000 /* MSR CPSR_c */, mov_imm(0, 0xda), 0xe121f000, kHvc});
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.mode, 0x13);
  for (const uint32_t mode : {0x16u, 0x1au}) {
    g->words(kCode + 0x100, {0xf96d0500 | mode /* SRSDB SP!, #mode */, kHvc});
    g->run(kCode + 0x100);
    EXPECT_EQ(g->stopped_at(), Exception::Undefined);
  }
}

}  // namespace
}  // namespace crosswalk::test
