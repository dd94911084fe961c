// SPDX-License-Identifier: GPL-2.0-or-later
// What Assembler encodes itself is, byte for byte, what Xbyak makes of it.
#include "translator/x64/assembler.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "translator/x64/state_operands.h"

namespace crosswalk::x64 {
namespace {

using namespace Xbyak::util;

constexpr int32_t kDisplacements[] = {0, 1, -1, 127, 128, -128, -129, 4096, INT32_MAX, INT32_MIN};
constexpr uint32_t kImmediates[] = {0,          1,          127,        128,        255,        0x7fff,
                                    0x8000,     0xffff,     0x10000,    0x7fffffff, 0x80000000, 0xffff7fff,
                                    0xffff8000, 0xffffff7f, 0xffffff80, 0xffffffff};

class AssemblerTest : public ::testing::Test {
 protected:
  // f(assembler), with each of the two.
  template <class F>
  void compare(F f, const std::string& what) {
    ours_.setSize(0);
    f(ours_);
    Xbyak::CodeGenerator& xbyak = xbyak_;
    xbyak.setSize(0);
    f(xbyak);
    const auto bytes = [](const Xbyak::CodeGenerator& c) {
      return std::vector<uint8_t>(c.getCode(), c.getCode() + c.getSize());
    };
    ASSERT_EQ(bytes(ours_), bytes(xbyak)) << what;
    compared_++;
  }
  // f(assembler, Reg32, Reg64) of each register.
  template <class F>
  void with_registers(F f, const std::string& what) {
    for (int r = 0; r < 16; r++)
      compare([&](auto& c) { f(c, Reg32(r), Reg64(r)); }, what + " of register " + std::to_string(r));
  }
  void TearDown() override { EXPECT_GT(compared_, 0); }

  alignas(16) uint8_t buffers_[2][64];
  Assembler ours_{64, buffers_[0]};
  Xbyak::CodeGenerator xbyak_{64, buffers_[1]};
  int compared_ = 0;
};

// name, for each of the two-operand instructions.
#define FOR_EACH_ALU(f) f(add) f(or_) f(adc) f(sbb) f(and_) f(sub) f(xor_) f(cmp)

TEST_F(AssemblerTest, Registers) {
  for (int from = 0; from < 16; from++) {
#define COMPARE(name) with_registers([&](auto& c, Reg32 r, Reg64) { c.name(r, Reg32(from)); }, #name);
    FOR_EACH_ALU(COMPARE)
    COMPARE(test)
    COMPARE(mov)
#undef COMPARE
    with_registers([&](auto& c, Reg32, Reg64 r) { c.mov(r, Reg64(from)); }, "mov of 64 bits");
  }
}

TEST_F(AssemblerTest, Immediates) {
  for (const uint32_t imm : kImmediates) {
#define COMPARE(name) with_registers([&](auto& c, Reg32 r, Reg64) { c.name(r, imm); }, #name);
    FOR_EACH_ALU(COMPARE)
    COMPARE(mov)
#undef COMPARE
  }
  for (int n = 1; n < 32; n++) {
#define COMPARE(name) with_registers([&](auto& c, Reg32 r, Reg64) { c.name(r, n); }, #name);
    COMPARE(ror) COMPARE(shl) COMPARE(shr) COMPARE(sar)
#undef COMPARE
  }
}

TEST_F(AssemblerTest, StateFields) {
  for (const int32_t d : kDisplacements) {
    const StateField<8> byte_field{d};
    const StateField<32> field{d};
    const StateField<64> wide{d};
#define COMPARE(name)                                                                \
  with_registers([&](auto& c, Reg32 r, Reg64) { c.name(r, field); }, #name " from"); \
  with_registers([&](auto& c, Reg32 r, Reg64) { c.name(field, r); }, #name " to");
    FOR_EACH_ALU(COMPARE)
    COMPARE(mov)
#undef COMPARE
    with_registers([&](auto& c, Reg32, Reg64 r) { c.mov(r, wide); }, "mov from 64 bits");
    with_registers([&](auto& c, Reg32, Reg64 r) { c.mov(wide, r); }, "mov to 64 bits");
    with_registers([&](auto& c, Reg32 r, Reg64) { c.movzx(r, byte_field); }, "movzx");
    for (int r = 0; r < 16; r++) compare([&](auto& c) { c.mov(byte_field, Reg64(r).cvt8()); }, "mov to a byte");
    for (const uint32_t imm : kImmediates) {
#define COMPARE(name) compare([&](auto& c) { c.name(field, imm); }, #name " of an immediate");
      FOR_EACH_ALU(COMPARE)
      COMPARE(mov)
#undef COMPARE
      const auto small = static_cast<uint8_t>(imm);
#define COMPARE(name) compare([&](auto& c) { c.name(byte_field, small); }, #name " of a byte");
      FOR_EACH_ALU(COMPARE)
      COMPARE(mov)
#undef COMPARE
    }
#define COMPARE(name) compare([&](auto& c) { c.name(byte_field); }, #name);
    COMPARE(seto) COMPARE(setc) COMPARE(setnc) COMPARE(sete) COMPARE(setne)
#undef COMPARE
  }
}

TEST_F(AssemblerTest, Addresses) {
  const auto compare_at = [&](const auto& at) {
    with_registers([&](auto& c, Reg32 r, Reg64) { c.mov(r, dword[at]); }, "mov");
    with_registers([&](auto& c, Reg32 r, Reg64) { c.mov(dword[at], r); }, "mov to memory");
    with_registers([&](auto& c, Reg32, Reg64 r) { c.mov(r, qword[at]); }, "mov of 64 bits");
    with_registers([&](auto& c, Reg32, Reg64 r) { c.mov(qword[at], r); }, "mov of 64 bits to memory");
    with_registers([&](auto& c, Reg32 r, Reg64) { c.lea(r, ptr[at]); }, "lea");
  };
  for (const int32_t d : kDisplacements) {
    for (int base = 0; base < 16; base++) {
      compare_at(Reg64(base) + d);
      for (int index = 0; index < 16; index++) {
        if (index == Xbyak::Operand::RSP) continue;
        for (const int scale : {1, 2, 4, 8}) compare_at(Reg64(base) + Reg64(index) * scale + d);
      }
    }
    for (const int scale : {2, 4, 8}) compare_at(rdx * scale + d);
    compare_at(r14 + rsp + d);
    compare_at(eax + ecx + d);
  }
  compare([](auto& c) { c.mov(eax, dword[rip]); }, "rip");
  compare([](auto& c) { c.mov(rax, qword[static_cast<size_t>(0x1234)]); }, "absolute");
}

TEST_F(AssemblerTest, Jumps) {
  // The distance depends on where the code is.
  for (const int distance : {5, 1000, -1000}) {
    ours_.setSize(0);
    ours_.call(buffers_[0] + distance);
    ours_.jmp_near(buffers_[0] + distance);
    const std::vector<uint8_t> ours(buffers_[0], buffers_[0] + 10);
    ours_.setSize(0);
    Xbyak::CodeGenerator& xbyak = ours_;
    xbyak.call(static_cast<const void*>(buffers_[0] + distance));
    xbyak.jmp(static_cast<const void*>(buffers_[0] + distance), Xbyak::CodeGenerator::T_NEAR);
    EXPECT_EQ(ours, std::vector<uint8_t>(buffers_[0], buffers_[0] + 10));
    compared_++;
  }
}

TEST_F(AssemblerTest, ThrowsWhenTheBufferIsFull) {
  const auto fill = [&] {
    for (int n = 0; n < 64; n++) ours_.mov(StateField<32>{0x1000}, 0x12345678u);
  };
  EXPECT_THROW(fill(), Xbyak::Error);
  EXPECT_LE(ours_.getSize(), sizeof buffers_[0]);
  compared_++;
}

}  // namespace
}  // namespace crosswalk::x64
