// SPDX-License-Identifier: GPL-2.0-or-later
// Xbyak's assembler, with the instructions that most of emitted code consists of encoded here: byte
// for byte as Xbyak does (tests/translator/x64/assembler_test.cc), at a sixth of the price. What
// has no form here is Xbyak's. Encodings: Intel SDM volume 2, chapter 2 and appendix B.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::x64 {

using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Reg8;

// A field of CpuState, of 8, 16, 32 or 64 bits: [r15 + displacement].
template <uint32_t kBits>
struct StateField {
  int32_t displacement;
  // For instructions that are Xbyak's.
  operator Xbyak::Address() const {  // NOLINT(google-explicit-constructor)
    return Xbyak::AddressFrame(kBits)[Xbyak::util::r15 + displacement];
  }
};

class Assembler : public Xbyak::CodeGenerator {
 public:
  using CodeGenerator::CodeGenerator;

  // ---- op r32, r32; op r32, imm; op r32, [mem]; op [mem], r32; op [mem], imm
#define ALU(name, number)                                                                        \
  using CodeGenerator::name;                                                                     \
  void name(const Reg32& to, const Reg32& from) { registers(number << 3 | 1, from, to, false); } \
  void name(const Reg32& to, uint32_t imm) { alu_immediate(number, to, imm); }                   \
  void name(const Reg32& to, StateField<32> from) { state(number << 3 | 3, to.getIdx(), from); } \
  void name(StateField<32> to, const Reg32& from) { state(number << 3 | 1, from.getIdx(), to); } \
  void name(StateField<32> to, uint32_t imm) { alu_immediate(number, to, imm); }                 \
  void name(StateField<8> to, uint8_t imm) { state_immediate8(0x80, number, to, imm); }
  ALU(add, 0)
  ALU(or_, 1)
  ALU(adc, 2)
  ALU(sbb, 3)
  ALU(and_, 4)
  ALU(sub, 5)
  ALU(xor_, 6)
  ALU(cmp, 7)
#undef ALU

  using CodeGenerator::test;
  void test(const Reg32& a, const Reg32& b) { registers(0x85, b, a, false); }

  // ---- mov, and zero extension
  using CodeGenerator::mov;
  void mov(const Reg32& to, const Reg32& from) { registers(0x89, from, to, false); }
  void mov(const Reg64& to, const Reg64& from) { registers(0x89, from, to, true); }
  void mov(const Reg32& to, uint32_t imm) {
    uint8_t* p = room();
    if (to.getIdx() >= 8) *p++ = 0x41;
    *p++ = static_cast<uint8_t>(0xb8 | (to.getIdx() & 7));
    end(put32(p, imm));
  }
  void mov(const Reg32& to, StateField<32> from) { state(0x8b, to.getIdx(), from); }
  void mov(const Reg64& to, StateField<64> from) { state(0x8b, to.getIdx(), from); }
  void mov(StateField<32> to, const Reg32& from) { state(0x89, from.getIdx(), to); }
  void mov(StateField<64> to, const Reg64& from) { state(0x89, from.getIdx(), to); }
  void mov(StateField<8> to, const Reg8& from) { state(0x88, from.getIdx(), to); }
  void mov(StateField<32> to, uint32_t imm) { end(put32(state_operand(room(), 0xc7, 0, to), imm)); }
  void mov(StateField<8> to, uint8_t imm) { state_immediate8(0xc6, 0, to, imm); }
  void mov(const Reg32& to, const Xbyak::Address& from) { memory(0x8b, to, from); }
  void mov(const Reg64& to, const Xbyak::Address& from) { memory(0x8b, to, from); }
  void mov(const Xbyak::Address& to, const Reg32& from) { memory(0x89, from, to); }
  void mov(const Xbyak::Address& to, const Reg64& from) { memory(0x89, from, to); }
  using CodeGenerator::movzx;
  void movzx(const Reg32& to, StateField<8> from) {
    uint8_t* p = room();
    *p++ = rex(to.getIdx(), 15, false);
    *p++ = 0x0f;
    *p++ = 0xb6;
    end(state_address(p, to.getIdx(), from.displacement));
  }

  using CodeGenerator::lea;
  void lea(const Reg32& to, const Xbyak::Address& from) { memory(0x8d, to, from); }

  // ---- shifts by 1 to 31
#define SHIFT(name, number)                                               \
  using CodeGenerator::name;                                              \
  void name(const Reg32& r, int n) {                                      \
    uint8_t* p = room();                                                  \
    if (r.getIdx() >= 8) *p++ = 0x41;                                     \
    *p++ = n == 1 ? 0xd1 : 0xc1;                                          \
    *p++ = static_cast<uint8_t>(0xc0 | (number) << 3 | (r.getIdx() & 7)); \
    if (n != 1) *p++ = static_cast<uint8_t>(n);                           \
    end(p);                                                               \
  }
  SHIFT(ror, 1)
  SHIFT(shl, 4)
  SHIFT(shr, 5)
  SHIFT(sar, 7)
#undef SHIFT

  // ---- flags to a byte of CpuState
#define SET(name, condition) \
  using CodeGenerator::name; \
  void name(StateField<8> to) { set(condition, to); }
  SET(seto, 0)
  SET(setc, 2)
  SET(setnc, 3)
  SET(sete, 4)
  SET(setne, 5)
#undef SET

  // ---- jumps with a distance of 4 bytes
  using CodeGenerator::call;
  void call(const uint8_t* target) { relative(0xe8, target); }
  void jmp_near(const uint8_t* target) { relative(0xe9, target); }

  // ---- bytes, as they are; `n` is at most 8
  void bytes(uint64_t value, size_t n) {
    uint8_t* const p = room();
    std::memcpy(p, &value, 8);
    end(p + n);
  }

 private:
  // Where the next instruction goes: there is room for any.
  uint8_t* room() const {
    constexpr size_t kLongest = 16;
    if (maxSize_ - size_ < kLongest) throw Xbyak::Error(Xbyak::ERR_CODE_IS_TOO_BIG);
    return top_ + size_;
  }
  void end(const uint8_t* p) { size_ = static_cast<size_t>(p - top_); }

  static uint8_t* put32(uint8_t* p, uint32_t v) {
    std::memcpy(p, &v, 4);
    return p + 4;
  }
  static uint8_t rex(int reg, int rm, bool wide) {
    return static_cast<uint8_t>(0x40 | wide << 3 | reg >> 3 << 2 | rm >> 3);
  }
  // Of 32 or 64 bits.
  void registers(int opcode, const Xbyak::Reg& reg, const Xbyak::Reg& rm, bool wide) {
    uint8_t* p = room();
    if (const uint8_t prefix = rex(reg.getIdx(), rm.getIdx(), wide); prefix != 0x40) *p++ = prefix;
    *p++ = static_cast<uint8_t>(opcode);
    *p++ = static_cast<uint8_t>(0xc0 | (reg.getIdx() & 7) << 3 | (rm.getIdx() & 7));
    end(p);
  }
  static bool is_byte(uint32_t imm) { return imm + 0x80 < 0x100; }
  static uint8_t* put_immediate(uint8_t* p, uint32_t imm) {
    if (!is_byte(imm)) return put32(p, imm);
    *p = static_cast<uint8_t>(imm);
    return p + 1;
  }
  void alu_immediate(int number, const Reg32& r, uint32_t imm) {
    uint8_t* p = room();
    if (r.getIdx() >= 8) *p++ = 0x41;
    if (r.getIdx() == 0 && !is_byte(imm)) {  // EAX has a form of its own
      *p++ = static_cast<uint8_t>(number << 3 | 5);
    } else {
      *p++ = is_byte(imm) ? 0x83 : 0x81;
      *p++ = static_cast<uint8_t>(0xc0 | number << 3 | (r.getIdx() & 7));
    }
    end(put_immediate(p, imm));
  }
  void alu_immediate(int number, StateField<32> to, uint32_t imm) {
    end(put_immediate(state_operand(room(), is_byte(imm) ? 0x83 : 0x81, number, to), imm));
  }

  // ModR/M and displacement of [r15 + displacement].
  static uint8_t* state_address(uint8_t* p, int reg, int32_t displacement) {
    const int fields = (reg & 7) << 3 | 7;
    if (displacement == 0) {
      *p = static_cast<uint8_t>(fields);
      return p + 1;
    }
    *p = static_cast<uint8_t>((is_byte(static_cast<uint32_t>(displacement)) ? 0x40 : 0x80) | fields);
    return put_immediate(p + 1, static_cast<uint32_t>(displacement));
  }
  template <uint32_t kBits>
  static uint8_t* state_operand(uint8_t* p, int opcode, int reg, StateField<kBits> field) {
    *p++ = rex(reg, 15, kBits == 64);
    *p++ = static_cast<uint8_t>(opcode);
    return state_address(p, reg, field.displacement);
  }
  template <uint32_t kBits>
  void state(int opcode, int reg, StateField<kBits> field) {
    end(state_operand(room(), opcode, reg, field));
  }
  void state_immediate8(int opcode, int reg, StateField<8> to, uint8_t imm) {
    uint8_t* const p = state_operand(room(), opcode, reg, to);
    *p = imm;
    end(p + 1);
  }
  void set(int condition, StateField<8> to) {
    uint8_t* p = room();
    *p++ = 0x41;
    *p++ = 0x0f;
    *p++ = static_cast<uint8_t>(0x90 | condition);
    end(state_address(p, 0, to.displacement));
  }

  // Of 32 or 64 bits; [base + index * scale + displacement], with a base.
  template <class R>
  void memory(int opcode, const R& reg, const Xbyak::Address& address) {
    const Xbyak::RegExp e = address.getRegExp(false);
    const Xbyak::Reg &base = e.getBase(), &index = e.getIndex();
    if (address.getMode() != Xbyak::Address::M_ModRM || !base.isREG(64) || !(index.isNone() || index.isREG(64)))
      return other_memory(opcode, reg, address);
    const int low = base.getIdx() & 7, index_number = index.getIdx();  // 0: none
    const auto displacement = static_cast<uint32_t>(e.getDisp());
    uint8_t* p = room();
    const int prefix = rex(reg.getIdx(), base.getIdx(), reg.isBit(64)) | index_number >> 3 << 1;
    if (prefix != 0x40) *p++ = static_cast<uint8_t>(prefix);
    *p++ = static_cast<uint8_t>(opcode);
    const int mod = displacement == 0 && low != 5 ? 0 : is_byte(displacement) ? 0x40 : 0x80;
    const int fields = mod | (reg.getIdx() & 7) << 3;
    if (!index.isNone() || low == 4) {
      const int scale = e.getScale() == 8 ? 3 : e.getScale() >> 1;
      *p++ = static_cast<uint8_t>(fields | 4);
      *p++ = static_cast<uint8_t>(index.isNone() ? 4 << 3 | low : scale << 6 | (index_number & 7) << 3 | low);
    } else {
      *p++ = static_cast<uint8_t>(fields | low);
    }
    end(mod == 0 ? p : put_immediate(p, displacement));
  }
  template <class R>
  void other_memory(int opcode, const R& reg, const Xbyak::Address& address) {
    switch (opcode) {
      case 0x8b: return CodeGenerator::mov(reg, address);
      case 0x89: return CodeGenerator::mov(address, reg);
      default: return CodeGenerator::lea(reg, address);
    }
  }

  void relative(uint8_t opcode, const uint8_t* target) {
    uint8_t* p = room();
    *p++ = opcode;
    end(put32(p, static_cast<uint32_t>(target - (p + 4))));
  }
};

}  // namespace crosswalk::x64
