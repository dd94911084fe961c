// SPDX-License-Identifier: GPL-2.0-or-later
// A copy of GuestCpu and of RAM is the whole guest: another CPU with another engine goes on from
// it, and so does the same one, whatever it has done since.
#include <cstring>

#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Saving);

constexpr uint32_t kRoutine = kCode + 0x1000, kOther = kData + 0x2000;
constexpr uint32_t kCpsIrq = 0xf1020012, kCpsSvc = 0xf1020013, kSetendBe = 0xf1010200, kSetendLe = 0xf1010000;

// A loop with big-endian data, in an address space of its own and with banked, floating-point and
// flag state. When half of it is done it writes to the device; at its end it changes a routine.
void write_program(Guest& g) {
  g.map(kVa, kData + 0x1000, Guest::kNotGlobal, kTableA);
  g.map(kVa, kOther, Guest::kNotGlobal, kTableB);
  const double one_and_a_half = 1.5;
  std::memcpy(g.host(kData), &one_and_a_half, 8);
  g.words(kRoutine, {add_imm(7, 7, 1), kBxLr});
  Asm a(kCode);
  a.set(5, kData).set(6, kDevice).set(0, 1000).set(1, 0x12345678).set(2, kVa).set(4, kTableB);
  a({0xed951b00 /* VLDR D1, [R5] */, 0xed950b00 /* VLDR D0, [R5] */, kCpsIrq}).set(13, 0x1111)({kCpsSvc});
  a.set(13, 0x2222)({mov_imm(7, 0), mov_imm(3, 7), write_contextidr(3), write_ttbr0(4), kIsb, kSetendBe});
  const uint32_t loop = a.here();
  a({0xe0911000 /* ADDS R1, R1, R0 */, 0xe0a77001 /* ADC R7, R7, R1 */, ldr(8, 2), add(8, 8, 1), str(8, 2)});
  a({0xee300b01 /* VADD.F64 D0, D0, D1 */, 0xe3500f7d /* CMP R0, #500 */, 0x05860000 /* STREQ R0, [R6] */});
  a({subs_imm(0, 0, 1)}).b(loop, kNe)({kSetendLe}).bl(kRoutine);
  a.set(8, add_imm(7, 7, 2)).set(9, kRoutine)({str(8, 9), kDsb, iciallu(8), kIsb}).bl(kRoutine);
  a({kCpsIrq, mov(10, 13), kCpsSvc, mov(11, 13), kHvc});
  g.code(a, kCode);
}

TEST_P(Saving, ACopyGoesOn) {
  auto whole = make_guest(), first = make_guest(), second = make_guest();
  write_program(*whole);
  whole->run(kCode);
  ASSERT_EQ(whole->stopped_at(), Exception::None);
  ASSERT_EQ(whole->cpu.r[10], 0x1111u);
  double sum;
  std::memcpy(&sum, whole->cpu.vreg, 8);
  ASSERT_EQ(sum, 1001 * 1.5);

  const auto same = [&](const Guest& g) {
    EXPECT_EQ(g.stopped_at(), Exception::None);
    for (int n = 0; n < 16; n++) EXPECT_EQ(g.cpu.r[n], whole->cpu.r[n]) << n;
    EXPECT_EQ(read_cpsr(g.cpu), read_cpsr(whole->cpu));
    EXPECT_EQ(std::memcmp(g.cpu.vreg, whole->cpu.vreg, sizeof g.cpu.vreg), 0);
    EXPECT_EQ(g.read32(kOther), whole->read32(kOther));
  };
  write_program(*first);
  first->on_device_write = [&](uint32_t, uint64_t) { raise_line(first->cpu, kLineStop); };
  first->run(kCode);
  ASSERT_LE(first->cpu.r[0], 500u);
  ASSERT_GE(first->cpu.r[0], 499u);
  const Guest::Saved half = first->save();
  {
    SCOPED_TRACE("another CPU");
    second->restore(half);
    second->resume();
    same(*second);
  }
  {
    SCOPED_TRACE("the same CPU");
    first->resume();
    same(*first);
  }
  {
    SCOPED_TRACE("the same CPU from half way again");
    first->restore(half);
    EXPECT_EQ(first->cpu.r[15], half.cpu.r[15]);
    first->resume();
    same(*first);
  }
}

}  // namespace
}  // namespace crosswalk::test
