// SPDX-License-Identifier: GPL-2.0-or-later
// The few A32 and T32 encodings that the tests are written in; other instructions are words with a
// comment.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace crosswalk::test {

enum : uint32_t {
  kHvc = 0xe1400070,  // HVC #0: stops the run
  kBxLr = 0xe12fff1e,
  kIsb = 0xf57ff06f,
  kDsb = 0xf57ff04f,
  kClrex = 0xf57ff01f,
  kNop = 0xe320f000,
  kWfi = 0xe320f003,
  kCpsieI = 0xf1080080,
  kCpsidI = 0xf10c0080,
  kMovsPcLr = 0xe1b0f00e,  // returns from SVC and UND
};

constexpr uint32_t movw(uint32_t rd, uint32_t imm) {
  return 0xe3000000 | (imm >> 12 & 15) << 16 | rd << 12 | (imm & 0xfff);
}
constexpr uint32_t movt(uint32_t rd, uint32_t imm) {
  return 0xe3400000 | (imm >> 12 & 15) << 16 | rd << 12 | (imm & 0xfff);
}
constexpr uint32_t mov_imm(uint32_t rd, uint32_t imm8) { return 0xe3a00000 | rd << 12 | imm8; }
constexpr uint32_t mov(uint32_t rd, uint32_t rm) { return 0xe1a00000 | rd << 12 | rm; }
constexpr uint32_t add_imm(uint32_t rd, uint32_t rn, uint32_t imm8) { return 0xe2800000 | rn << 16 | rd << 12 | imm8; }
constexpr uint32_t add(uint32_t rd, uint32_t rn, uint32_t rm) { return 0xe0800000 | rn << 16 | rd << 12 | rm; }
constexpr uint32_t subs_imm(uint32_t rd, uint32_t rn, uint32_t imm8) { return 0xe2500000 | rn << 16 | rd << 12 | imm8; }
constexpr uint32_t cmp_imm(uint32_t rn, uint32_t imm8) { return 0xe3500000 | rn << 16 | imm8; }
constexpr uint32_t ldr(uint32_t rt, uint32_t rn, uint32_t offset = 0) {
  return 0xe5900000 | rn << 16 | rt << 12 | offset;
}
constexpr uint32_t str(uint32_t rt, uint32_t rn, uint32_t offset = 0) {
  return 0xe5800000 | rn << 16 | rt << 12 | offset;
}
constexpr uint32_t blx(uint32_t rm) { return 0xe12fff30 | rm; }
constexpr uint32_t bx(uint32_t rm) { return 0xe12fff10 | rm; }
// MCR p15, opc1, Rt, CRn, CRm, opc2.
constexpr uint32_t mcr(uint32_t opc1, uint32_t rt, uint32_t crn, uint32_t crm, uint32_t opc2) {
  return 0xee000f10 | opc1 << 21 | crn << 16 | rt << 12 | opc2 << 5 | crm;
}
constexpr uint32_t tlbiall(uint32_t rt) { return mcr(0, rt, 8, 7, 0); }
constexpr uint32_t tlbimva(uint32_t rt) { return mcr(0, rt, 8, 7, 1); }
constexpr uint32_t iciallu(uint32_t rt) { return mcr(0, rt, 7, 5, 0); }
constexpr uint32_t write_ttbr0(uint32_t rt) { return mcr(0, rt, 2, 0, 0); }
constexpr uint32_t write_contextidr(uint32_t rt) { return mcr(0, rt, 13, 0, 1); }
enum Condition : uint32_t { kEq = 0, kNe = 1, kAl = 14 };
constexpr uint32_t branch(uint32_t from, uint32_t to, uint32_t condition = kAl, bool link = false) {
  return condition << 28 | 0x0a000000 | uint32_t{link} << 24 | ((to - from - 8) >> 2 & 0xffffff);
}

// Collects A32 code for one address.
class Asm {
 public:
  explicit Asm(uint32_t va) : va_(va) {}
  uint32_t here() const { return va_ + 4 * static_cast<uint32_t>(words.size()); }
  Asm& operator()(std::initializer_list<uint32_t> more) {
    words.insert(words.end(), more);
    return *this;
  }
  Asm& set(uint32_t rd, uint32_t value) { return (*this)({movw(rd, value & 0xffff), movt(rd, value >> 16)}); }
  Asm& b(uint32_t to, uint32_t condition = kAl) { return (*this)({branch(here(), to, condition)}); }
  Asm& bl(uint32_t to) { return (*this)({branch(here(), to, kAl, true)}); }
  std::vector<uint32_t> words;

 private:
  uint32_t va_;
};

}  // namespace crosswalk::test
