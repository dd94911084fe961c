// SPDX-License-Identifier: GPL-2.0-or-later
// Functions that code out of line calls in the middle of an instruction change no register.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>

#include "tests/translator/x64/emitted.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::test {
namespace {

constexpr int kGeneral[] = {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13};  // but rsp, r14, r15

struct Registers {
  uint64_t general[16];
  uint8_t simd[16][16];
};

// Changes all that a function may change, and says what it was given.
uint64_t given_cpu, given_frame;
void change_registers(CpuState* cpu, void* frame) {
  given_cpu = reinterpret_cast<uint64_t>(cpu);
  std::memcpy(&given_frame, frame, sizeof given_frame);
  Emitted::use_registers();
}

TEST(CallPreserving, ChangesNoRegister) {
  using namespace Xbyak::util;
  constexpr uint64_t kMark = 0x123456789abcdef0;
  Emitted emitted(x64::MemoryMode::SoftInline, true);
  auto cpu = std::make_unique<CpuState>();
  cpu->mxcsr = 0x7f80;  // the guest's, with another rounding
  Registers before, after{};
  for (size_t i = 0; i < sizeof before; i++) reinterpret_cast<uint8_t*>(&before)[i] = static_cast<uint8_t>(i * 7 + 1);
  cpu->saved_rax = before.general[0];
  uint32_t mxcsr = 0;
  void* const code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  Xbyak::CodeGenerator c(4096, code);
  c.mov(rax, reinterpret_cast<uint64_t>(&before));
  for (int i = 0; i < 16; i++) c.movups(Xbyak::Xmm(i), xword[rax + offsetof(Registers, simd) + size_t{16} * i]);
  for (const int r : kGeneral)
    if (r != 0) c.mov(Xbyak::Reg64(r), qword[rax + size_t{8} * r]);
  c.sub(rsp, 16);
  c.mov(rax, kMark);
  c.mov(qword[rsp], rax);
  c.mov(rax, reinterpret_cast<uint64_t>(&change_registers));
  c.call(emitted.thunks().call_preserving);
  c.add(rsp, 16);
  c.push(rax);
  c.mov(rax, reinterpret_cast<uint64_t>(&after));
  c.pop(qword[rax]);
  for (const int r : kGeneral)
    if (r != 0) c.mov(qword[rax + size_t{8} * r], Xbyak::Reg64(r));
  for (int i = 0; i < 16; i++) c.movups(xword[rax + offsetof(Registers, simd) + size_t{16} * i], Xbyak::Xmm(i));
  c.mov(rax, reinterpret_cast<uint64_t>(&mxcsr));
  c.stmxcsr(dword[rax]);
  c.jmp(emitted.thunks().exit_no_spill, Xbyak::CodeGenerator::T_NEAR);
  emitted.thunks().enter(cpu.get(), code);
  munmap(code, 4096);
  EXPECT_EQ(given_cpu, reinterpret_cast<uint64_t>(cpu.get()));
  EXPECT_EQ(given_frame, kMark);
  EXPECT_EQ(mxcsr, 0x7f80u);
  for (const int r : kGeneral) EXPECT_EQ(after.general[r], before.general[r]) << r;
  for (int i = 0; i < 16; i++) EXPECT_EQ(std::memcmp(after.simd[i], before.simd[i], 16), 0) << i;
}

// What is out of line of each operation is little.
TEST(CallPreserving, IsSmall) {
  const auto size_with = [](int operations) {
    Emitted emitted(x64::MemoryMode::SoftInline, true);
    ir::Block block;
    block.pc = 0x8000;
    block.fp_mode = arm::kFpModeEnabled;
    block.guest.push_back({0x8000, 0, 0, 4});
    ir::Builder ir(block);
    ir::Value v = ir.GetD(0);
    for (int i = 0; i < operations; i++) v = ir.FpAdd64(v, ir.GetD(1));
    ir.SetD(0, v);
    ir.Jump(0x9000);
    EXPECT_EQ(optimise(block), "");
    return emitted.emit(block).size;
  };
  const uint32_t each = (size_with(9) - size_with(1)) / 8;
  EXPECT_LE(each, 80u);
  EXPECT_GE(each, 20u);
}

}  // namespace
}  // namespace crosswalk::test
