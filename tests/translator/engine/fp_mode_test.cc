// SPDX-License-Identifier: GPL-2.0-or-later
// Code that was translated for one GuestCpu::fp_mode is executed in another one; and loops that
// keep SIMD registers in host registers.
#include <bit>
#include <cstring>

#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(FpMode);

constexpr uint32_t kFunction = kCode + 0x800;
constexpr uint32_t kVmsrFpscrR0 = 0xeee10a10, kVmrsR4Fpscr = 0xeef14a10, kVmsrFpexcR0 = 0xeee80a10;
constexpr uint32_t kDenormal = 0x00400000, kOne = 0x3f800000;

void set_s(CpuState& cpu, int n, uint32_t v) { std::memcpy(cpu.vreg + 4 * n, &v, 4); }
uint32_t s(const CpuState& cpu, int n) {
  uint32_t v;
  std::memcpy(&v, cpu.vreg + 4 * n, 4);
  return v;
}

// A function that is linked to from one place is called with FZ clear, set, clear, and so on: often
// enough for the links to be left alone.
TEST_P(FpMode, FlushToZeroChangesBetweenCalls) {
  const auto guest = make_guest();
  Asm function(kFunction);
  function({0xee201a20 /* VMUL.F32 S2, S0, S1 */, kVmrsR4Fpscr, kBxLr});
  guest->code(function, kFunction);
  Asm a(kCode);
  const uint32_t again = a.here();
  a({kVmsrFpscrR0});
  a.bl(kFunction);
  a({0xee11aa10 /* VMOV R10, S2 */, 0xe0255000 | 10 /* EOR R5, R5, R10 */, 0xe1a05565 /* ROR R5, R5, #10 */,
     0xe2200401 /* EOR R0, R0, #FZ */, subs_imm(6, 6, 1)});
  a.b(again, kNe);
  a({kHvc});
  guest->code(a, kCode);
  CpuState& cpu = guest->cpu;
  set_s(cpu, 0, kDenormal);
  set_s(cpu, 1, kOne);
  cpu.r[0] = 0;
  cpu.r[5] = 0;
  constexpr uint32_t kCalls = 101;
  cpu.r[6] = kCalls;
  guest->run(kCode);
  EXPECT_EQ(guest->stopped_at(), Exception::None);
  uint32_t expected = 0;
  for (uint32_t i = 0; i < kCalls; i++) expected = std::rotr(expected ^ (i % 2 ? 0 : kDenormal), 10);
  EXPECT_EQ(cpu.r[5], expected);
  EXPECT_EQ(s(cpu, 2), kDenormal);
  EXPECT_EQ(cpu.r[4] & arm::kFpscrIdc, 0u);  // the last VMSR has cleared it
}

// The first floating-point instruction traps, the handler enables, as Linux does; the same code
// goes on, and once more from the block that led to it.
TEST_P(FpMode, EnabledByTheHandlerOfTheTrap) {
  const auto guest = make_guest();
  Asm handler(kVectors + 0x1000);
  handler({add_imm(7, 7, 1), mov(8, 0)});
  handler.set(0, arm::kFpexcEn);
  handler({kVmsrFpexcR0, mov(0, 8), 0xe25ef004 /* SUBS PC, LR, #4: the instruction again */});
  guest->code(handler, kVectors + 0x1000);
  guest->words(kVectors + 4, {branch(kVectors + 4, kVectors + 0x1000)});
  Asm a(kCode);
  const uint32_t again = a.here();
  a({add_imm(9, 9, 1)});
  const uint32_t vector = a.here();
  a.b(vector + 4);
  a({0xee301a20 /* VADD.F32 S2, S0, S1 */, 0xee300a20 /* VADD.F32 S0, S0, S1 */, subs_imm(6, 6, 1)});
  a.b(again, kNe);
  a({kHvc});
  guest->code(a, kCode);
  CpuState& cpu = guest->cpu;
  for (int round = 0; round < 3; round++) {
    cpu.fpexc = 0;
    arm::update_fp_mode(cpu);
    set_s(cpu, 0, 0);
    set_s(cpu, 1, kOne);
    cpu.r[6] = 4;
    cpu.r[7] = cpu.r[9] = 0;
    guest->run(kCode);
    EXPECT_EQ(guest->stopped_at(), Exception::None);
    EXPECT_EQ(cpu.r[7], 1u);  // one trap
    EXPECT_EQ(cpu.r[9], 4u);
    EXPECT_EQ(s(cpu, 0), 0x40800000u);  // 4
  }
}

// VMSR in the middle of a loop: what follows it behaves as it says, in the same round.
TEST_P(FpMode, VmsrInALoop) {
  const auto guest = make_guest();
  Asm a(kCode);
  a.set(8, arm::kFpscrFz);
  const uint32_t again = a.here();
  a({0xee201a20 /* VMUL.F32 S2, S0, S1 */, 0xee116a10 /* VMOV R6, S2 */, add(4, 4, 6)});
  a({0xe0200008 /* EOR R0, R0, R8 */, kVmsrFpscrR0, 0xee202a20 /* VMUL.F32 S4, S0, S1 */, 0xee127a10 /* VMOV R7, S4 */,
     add(5, 5, 7), 0xe0200008 /* EOR R0, R0, R8 */, kVmsrFpscrR0, subs_imm(9, 9, 1)});
  a.b(again, kNe);
  a({kHvc});
  guest->code(a, kCode);
  CpuState& cpu = guest->cpu;
  set_s(cpu, 0, kDenormal);
  set_s(cpu, 1, kOne);
  cpu.r[0] = cpu.r[4] = cpu.r[5] = 0;
  cpu.r[9] = 7;
  guest->run(kCode);
  EXPECT_EQ(cpu.r[4], 7 * kDenormal);
  EXPECT_EQ(cpu.r[5], 0u);
}

// A loop of one block that works in S, D and Q registers. A load in the middle of a round reaches a
// page that is not there: what was computed until then is in the registers.
TEST_P(FpMode, LoopWithVectorsFaultsInTheMiddle) {
  const auto guest = make_guest();
  guest->map(kVa, kData);
  guest->unmap(kVa + 0x1000);
  Asm a(kCode);
  const uint32_t again = a.here();
  a({0xee300a20 /* VADD.F32 S0, S0, S1 */, 0xee322b03 /* VADD.F64 D2, D2, D3 */, 0xf22cc84e /* VADD.I32 Q6, Q6, Q7 */,
     0xf2288848 /* VADD.I32 Q4, Q4, Q4 */, 0xee388a08 /* VADD.F32 S16, S16, S16, the first of Q4 */, ldr(1, 2),
     add_imm(2, 2, 64), subs_imm(6, 6, 1)});
  a.b(again, kNe);
  a({kHvc});
  guest->code(a, kCode);
  CpuState& cpu = guest->cpu;
  for (int n = 0; n < 64; n++) set_s(cpu, n, 0);
  set_s(cpu, 1, kOne);
  const double two = 2;
  std::memcpy(cpu.vreg + 24, &two, 8);                                         // D3
  for (int n = 28; n < 32; n++) set_s(cpu, n, static_cast<uint32_t>(n));       // Q7
  for (int n = 16; n < 20; n++) set_s(cpu, n, static_cast<uint32_t>(n) << 8);  // Q4
  cpu.r[2] = kVa + 0x1000 - 64 * 10;
  cpu.r[6] = 100;
  guest->run(kCode);
  constexpr uint32_t kRounds = 11;  // the last one up to the load
  EXPECT_EQ(guest->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(cpu.r[2], kVa + 0x1000);
  EXPECT_EQ(cpu.r[6], 90u);
  EXPECT_EQ(s(cpu, 0), std::bit_cast<uint32_t>(float{kRounds}));
  double d2;
  std::memcpy(&d2, cpu.vreg + 16, 8);
  EXPECT_EQ(d2, 2.0 * kRounds);
  for (uint32_t n = 0; n < 4; n++) EXPECT_EQ(s(cpu, static_cast<int>(24 + n)), kRounds * (28 + n)) << n;
  uint32_t s16 = 16 << 8;
  for (uint32_t i = 0; i < kRounds; i++) {
    s16 *= 2;
    const float sum = std::bit_cast<float>(s16) + std::bit_cast<float>(s16);
    s16 = std::bit_cast<uint32_t>(sum);
  }
  EXPECT_EQ(s(cpu, 16), s16);
  for (uint32_t n = 17; n < 20; n++) EXPECT_EQ(s(cpu, static_cast<int>(n)), n << 8 << kRounds) << n;
}

// The loop is left by an interrupt; it goes on with what the registers hold then.
TEST_P(FpMode, RegistersChangeWhileALoopIsLeft) {
  const auto guest = make_guest();
  Asm a(kCode);
  const uint32_t again = a.here();
  a({0xee300a20 /* VADD.F32 S0, S0, S1 */, subs_imm(6, 6, 1)});
  a.b(again, kNe);
  a({kHvc});
  guest->code(a, kCode);
  CpuState& cpu = guest->cpu;
  cpu.i = 0;
  set_s(cpu, 0, 0);
  set_s(cpu, 1, kOne);
  cpu.r[6] = 0;  // 2^32 rounds
  guest->raise_after(kLineIrq, 20);
  guest->run(kCode);
  ASSERT_EQ(guest->stopped_at(), Exception::Irq);
  lower_line(cpu, kLineIrq);
  const uint32_t back = cpu.r[14] - 4;
  ASSERT_EQ(back, kCode);
  EXPECT_NE(s(cpu, 0), 0u);
  set_s(cpu, 0, std::bit_cast<uint32_t>(-100.0f));
  set_s(cpu, 1, std::bit_cast<uint32_t>(3.0f));
  cpu.r[6] = 20;
  guest->run(back);
  EXPECT_EQ(guest->stopped_at(), Exception::None);
  EXPECT_EQ(s(cpu, 0), std::bit_cast<uint32_t>(-40.0f));
}

// A loop of Advanced SIMD arithmetic, which rounds to nearest whatever FPSCR says. Behind it, and
// wherever else it is left to, VFP arithmetic rounds as FPSCR says.
TEST_P(FpMode, RoundingBehindALoopOfVectors) {
  enum Left { AtItsEnd, ByALoad, ByAnInterrupt };
  constexpr uint32_t kSmall = 0x33c00000, kNearest = 0x3f800001;  // 1.5 * 2^-24; and one and that
  constexpr uint32_t kTowardsZero = 3u << 22;
  constexpr uint32_t kVaddQ2Q0Q1 = 0xf2004d42, kVaddS12S0S4 = 0xee306a02;
  for (const Left left : {AtItsEnd, ByALoad, ByAnInterrupt}) {
    for (const bool loads : {true, false}) {
      // It loads 64 times at most.
      if (left == ByALoad ? !loads : left == ByAnInterrupt && loads) continue;
      const auto guest = make_guest();
      guest->map(kVa, kData);
      guest->unmap(kVa + 0x1000);
      Asm handler(kVectors + 0x1000);
      handler({kVaddS12S0S4, kVmrsR4Fpscr, kHvc});
      guest->code(handler, kVectors + 0x1000);
      for (const uint32_t vector : {0x10u, 0x18u})
        guest->words(kVectors + vector, {branch(kVectors + vector, kVectors + 0x1000)});
      Asm a(kCode);
      a({kVmsrFpscrR0});
      a.b(kCode + 0x100);
      guest->code(a, kCode);
      Asm loop(kCode + 0x100);
      loop({kVaddQ2Q0Q1});
      if (loads) loop({ldr(1, 2), add_imm(2, 2, 64)});
      loop({subs_imm(6, 6, 1)});
      loop.b(kCode + 0x100, kNe);
      loop({kVaddS12S0S4, kVmrsR4Fpscr, kHvc});
      guest->code(loop, kCode + 0x100);
      CpuState& cpu = guest->cpu;
      cpu.i = 0;
      for (int n = 0; n < 64; n++) set_s(cpu, n, n < 4 ? kOne : n < 8 ? kSmall : 0);
      cpu.r[0] = kTowardsZero;
      cpu.r[2] = left == ByALoad ? kVa + 0x1000 - 64 * 10 : kVa;
      cpu.r[6] = left == ByAnInterrupt ? 0 : left == ByALoad ? 1000 : 20;
      if (left == ByAnInterrupt) guest->raise_after(kLineIrq, 20);
      guest->run(kCode);
      lower_line(cpu, kLineIrq);
      EXPECT_EQ(guest->stopped_at(), Exception::None) << left;
      for (int n = 8; n < 12; n++) EXPECT_EQ(s(cpu, n), kNearest) << left << loads;
      EXPECT_EQ(s(cpu, 12), kOne) << left << loads;
      EXPECT_EQ(cpu.r[4], kTowardsZero | arm::kFpscrIxc) << left << loads;
      if (left == ByALoad) {
        EXPECT_EQ(cpu.r[2], kVa + 0x1000);
      }
    }
  }
}

}  // namespace
}  // namespace crosswalk::test
