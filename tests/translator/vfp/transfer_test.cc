// SPDX-License-Identifier: GPL-2.0-or-later
// What random single instructions do not show: alignment faults, sequences, system registers,
// encodings that are UNDEFINED.
#include <gtest/gtest.h>

#include "tests/translator/vfp/guest_code.h"
#include "translator/arm32/decoder/decoder.h"

namespace crosswalk {
namespace {

using testing::GuestCode;

// Word alignment is required whatever SCTLR.A says (A3.2.1): anything else goes to the path that
// raises the fault.
TEST(VfpMemory, MisalignedAccesses) {
  GuestCode code;
  const struct {
    uint32_t word;
    const char* name;
  } kForms[] = {
      {0xed900a00, "VLDR s0, [r0]"},    {0xed900b00, "VLDR d0, [r0]"},    {0xed800a00, "VSTR s0, [r0]"},
      {0xed800b00, "VSTR d0, [r0]"},    {0xec900b04, "VLDM r0, {d0-d1}"}, {0xec800b04, "VSTM r0, {d0-d1}"},
      {0xec900a02, "VLDM r0, {s0-s1}"}, {0xecb10a01, "VLDM r1!, {s0}"},
  };
  for (const auto& form : kForms) {
    for (const bool big_endian : {false, true}) {
      frontend::CodeFlags flags;
      flags.big_endian = big_endian;
      code.translate({form.word}, false, flags);
      for (uint32_t offset = 0; offset < 4; offset++) {
        code.cpu.r[0] = code.cpu.r[1] = 0x2000 + offset;
        code.run();
        EXPECT_EQ(code.slow_access_seen(), offset != 0) << form.name << " + " << offset;
        if (offset != 0) {
          EXPECT_EQ(code.cpu.r[1], 0x2000 + offset) << form.name;  // no writeback
        }
      }
    }
  }
}

// FSTMX and FLDMX: an odd count, which moves the base by an extra word.
TEST(VfpMemory, UnknownPrecisionMultiples) {
  GuestCode code;
  code.translate({0xeca00b05, 0xed310b05});  // FSTMIAX r0!, {d0-d1}; FLDMDBX r1!, {d0-d1}
  code.cpu.r[0] = 0x1000;
  code.cpu.r[1] = 0x3014;
  code.set_d(0, 0x1122334455667788);
  code.set_d(1, 0x99aabbccddeeff00);
  uint32_t loaded[5] = {1, 2, 3, 4, 5};
  std::memcpy(code.memory() + 0x3000, loaded, sizeof loaded);
  code.run();
  uint64_t stored[2];
  std::memcpy(stored, code.memory() + 0x1000, sizeof stored);
  EXPECT_EQ(stored[0], 0x1122334455667788u);
  EXPECT_EQ(stored[1], 0x99aabbccddeeff00u);
  EXPECT_EQ(code.cpu.r[0], 0x1014u);
  EXPECT_EQ(code.cpu.r[1], 0x3000u);
  EXPECT_EQ(code.d(0), 0x0000000200000001u);
  EXPECT_EQ(code.d(1), 0x0000000400000003u);
}

TEST(VfpMemory, BigEndianDoubleword) {
  GuestCode code;
  frontend::CodeFlags flags;
  flags.big_endian = true;
  code.translate({0xed901b00, 0xed801b02, 0xed900a00}, false,
                 flags);  // VLDR d1, [r0]; VSTR d1, [r0, #8]; VLDR s0, [r0]
  code.cpu.r[0] = 0x1000;
  const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  std::memcpy(code.memory() + 0x1000, bytes, 8);
  code.run();
  EXPECT_EQ(code.d(1), 0x0102030405060708u);
  EXPECT_EQ(code.s(0), 0x01020304u);
  EXPECT_EQ(std::memcmp(code.memory() + 0x1008, bytes, 8), 0);
}

// Single and double views of the same register within a block.
TEST(VfpSequence, OverlappingRegisters) {
  GuestCode code;
  // VADD.F64 d0, d1, d2; VMOV s1, r0; VADD.F64 d3, d0, d0; VMOV r1, s6; VMOV.F32 s2, s0; VADD.F64
  // d4, d1, d1
  code.translate({0xee310b02, 0xee000a90, 0xee303b00, 0xee131a10, 0xeeb01a40, 0xee314b01});
  code.set_d(1, 0x3ff0000000000000);
  code.set_d(2, 0x3ff8000000000001);
  code.cpu.r[0] = 0x40100000;
  arm::write_fpscr(code.cpu, 0);
  code.run();
  const uint64_t sum = 0x4004000000000000;  // 1 + 1.5000000000000002 to nearest even
  const uint64_t d0 = (sum & 0xffffffff) | uint64_t{0x40100000} << 32;
  EXPECT_EQ(code.d(0), d0);
  EXPECT_EQ(code.d(3), d0 + (uint64_t{1} << 52));
  EXPECT_EQ(code.cpu.r[1], static_cast<uint32_t>(d0));
  EXPECT_EQ(code.d(1), 0x3ff0000000000000u);  // its low word was 0 already
  EXPECT_EQ(code.d(4), 0x4000000000000000u);
}

// A write of FPSCR takes effect for the next instruction of the block, and its flags accumulate.
TEST(VfpSequence, RoundingModeChangesWithinBlock) {
  GuestCode code;
  // VADD.F32 s0, s2, s3; VMSR FPSCR, r0; VADD.F32 s1, s2, s3; VMRS r1, FPSCR
  code.translate({0xee310a21, 0xeee10a10, 0xee710a21, 0xeef11a10});
  code.set_s(2, 0x3f800000);  // 1
  code.set_s(3, 0x33000000);  // 2^-25
  code.cpu.r[0] = 1u << 22;   // towards plus infinity, no flags
  arm::write_fpscr(code.cpu, 0);
  code.run();
  EXPECT_EQ(code.s(0), 0x3f800000u);
  EXPECT_EQ(code.s(1), 0x3f800001u);
  EXPECT_EQ(code.cpu.r[1], 1u << 22 | arm::kFpscrIxc);
}

// What VMSR writes is read back, whatever comparison was before it.
TEST(VfpSequence, WriteOfFpscrReplacesFlags) {
  GuestCode code;
  // VCMP.F32 s0, s0; VMSR FPSCR, r0; VMRS APSR_nzcv, FPSCR; VMRS r1, FPSCR
  code.translate({0xeeb40a40, 0xeee10a10, 0xeef1fa10, 0xeef11a10});
  for (uint32_t bit = 0; bit < 32; bit++) {
    for (const uint32_t value : {1u << bit, ~(1u << bit)}) {
      code.cpu.r[0] = value;
      code.cpu.vreg[3] = 0x7f;
      code.cpu.vreg[2] = 0xff;  // s0 a NaN
      arm::write_fpscr(code.cpu, 0);
      code.run();
      CpuState expected = code.cpu;
      arm::write_fpscr(expected, value);
      EXPECT_EQ(code.cpu.r[1], arm::read_fpscr(expected)) << std::hex << value;
      EXPECT_EQ(code.cpu.fpscr, expected.fpscr) << std::hex << value;
      EXPECT_EQ(code.cpu.mxcsr, expected.mxcsr) << std::hex << value;
      EXPECT_EQ(code.cpu.mxcsr_standard, expected.mxcsr_standard) << std::hex << value;
      EXPECT_EQ(read_nzcv(code.cpu), value & 0xf0000000) << std::hex << value;
    }
  }
}

// Clearing the cumulative flags clears those that helpers have set, too.
TEST(VfpSequence, FlagsOfSlowPathsAreCleared) {
  GuestCode code;
  // VADD; VMRS r2; VMSR r0; VMRS r1
  code.translate({0xee310a21, 0xeef12a10, 0xeee10a10, 0xeef11a10});
  code.set_s(2, 0x7f800001);  // signalling NaN
  code.set_s(3, 0x00000001);
  code.cpu.r[0] = 0;
  arm::write_fpscr(code.cpu, arm::kFpscrFz);
  code.run();
  EXPECT_EQ(code.s(0), 0x7fc00001u);
  EXPECT_EQ(code.cpu.r[2], arm::kFpscrFz | arm::kFpscrIoc | arm::kFpscrIdc);
  EXPECT_EQ(code.cpu.r[1], 0u);
}

// A comparison that may not have happened is not taken for the last one.
TEST(VfpSequence, ConditionalCompare) {
  GuestCode code;
  code.translate({0x0eb40a41, 0xeef1fa10});  // VCMPEQ.F32 s0, s2; VMRS APSR_nzcv, FPSCR
  code.set_s(0, 0x3f800000);
  code.set_s(2, 0x40000000);
  for (const bool equal : {false, true}) {
    arm::write_fpscr(code.cpu, 0x30000000);
    write_nzcv(code.cpu, equal ? 0x40000000 : 0);
    code.run();
    EXPECT_EQ(read_nzcv(code.cpu), equal ? 0x80000000u : 0x30000000u);
  }
}

// Each condition right behind VCMP and VMRS, with operands that the helper compares, too.
TEST(VfpSequence, ConditionsOfAComparison) {
  constexpr uint32_t kOne = 0x3f800000, kTwo = 0x40000000, kNan = 0x7fc00000, kSignalling = 0x7f800001, kTiny = 1;
  const struct {
    uint32_t a, b, nzcv;  // nzcv without FZ
  } pairs[] = {
      {kOne, kTwo, 8},        {kTwo, kOne, 2}, {kOne, kOne, 6},        {kOne, kNan, 3},
      {kSignalling, kOne, 3}, {kTiny, 0, 2},   {0x80000000, kTiny, 8}, {0, 0x80000000, 6},
  };
  const auto holds = [](uint32_t condition, uint32_t nzcv) {
    const bool n = nzcv & 8, z = nzcv & 4, c = nzcv & 2, v = nzcv & 1;
    const bool base[] = {z, c, n, v, c && !z, n == v, n == v && !z};
    return base[condition / 2] != (condition & 1);
  };
  for (const uint32_t fpscr : {0u, uint32_t{arm::kFpscrFz}})
    for (uint32_t condition = 0; condition < 14; condition++) {
      GuestCode code;
      arm::write_fpscr(code.cpu, fpscr);
      // VCMP.F32 s0, s2; VMRS APSR_nzcv, FPSCR; MOV<c> r1, #1; MOV<c> r2, r3; VMRS r4, FPSCR
      code.translate({0xeeb40a41, 0xeef1fa10, condition << 28 | 0x03a01001, condition << 28 | 0x01a02003, 0xeef14a10});
      code.translate_for_fp_mode();
      for (const auto& p : pairs) {
        const bool tiny = p.a == kTiny || p.b == kTiny;
        const uint32_t nzcv = fpscr && tiny ? 6 : p.nzcv;
        arm::write_fpscr(code.cpu, fpscr);
        write_nzcv(code.cpu, 0x50000000);
        code.set_s(0, p.a);
        code.set_s(2, p.b);
        code.cpu.r[1] = code.cpu.r[2] = 0;
        code.cpu.r[3] = 5;
        code.run();
        SCOPED_TRACE(::testing::Message() << std::hex << p.a << " " << p.b << " condition " << condition);
        EXPECT_EQ(read_nzcv(code.cpu), nzcv << 28);
        EXPECT_EQ(code.cpu.r[4] >> 28, nzcv);
        EXPECT_EQ(code.cpu.r[1], holds(condition, nzcv) ? 1u : 0u);
        EXPECT_EQ(code.cpu.r[2], holds(condition, nzcv) ? 5u : 0u);
      }
    }
}

TEST(VfpDecoder, UndefinedEncodings) {
  GuestCode code;
  for (const uint32_t word : {
           0xee800a40u,  // VDIV with bit 6
           0xeeb60a40u,  // opc2 = 0110
           0xeeb90a40u,  // opc2 = 1001
           0xeeb20b40u,  // half and double precision: ARMv8
           0xee200b50u,  // core register to scalar, opc1:opc2 = 0x10
           0xee900b10u,  // scalar to core register, U:opc1:opc2 = 10x00
           0xee900b50u,  // and x0x10
           0xeec00b30u,  // VDUP, B and E
           0xeea10b30u,  // VDUP of a quadword, odd Vd
           0xec000b10u,  // 64-bit transfers without bit 22
           0xedb00a00u,  // P = U = W = 1
           0xec300a01u,  // P = U = 0, W = 1
       }) {
    for (const bool thumb : {false, true}) {
      code.translate({word}, thumb);
      EXPECT_EQ(code.block().insts.back().op, ir::Opcode::ExitException) << std::hex << word << "\n" << code.ir();
    }
  }
}

}  // namespace
}  // namespace crosswalk
