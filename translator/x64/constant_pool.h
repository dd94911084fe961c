// SPDX-License-Identifier: GPL-2.0-or-later
// 16-byte constants behind a block's code.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <list>

namespace crosswalk::x64 {

class ConstantPool {
 public:
  explicit ConstantPool(Xbyak::CodeGenerator& code) : code_(code) {}

  // A memory operand, 16-byte aligned: for pand, pshufb and the like.
  Xbyak::Address at(uint64_t low, uint64_t high) {
    using namespace Xbyak::util;
    for (Constant& k : constants_)
      if (k.low == low && k.high == high) return xword[rip + k.label];
    Constant& k = constants_.emplace_back();
    k.low = low;
    k.high = high;
    return xword[rip + k.label];
  }
  // Emits them here.
  void emit() {
    if (!constants_.empty()) code_.align(16);
    for (Constant& constant : constants_) {
      code_.L(constant.label);
      code_.dq(constant.low);
      code_.dq(constant.high);
    }
  }

 private:
  struct Constant {
    Xbyak::Label label;
    uint64_t low, high;
  };
  Xbyak::CodeGenerator& code_;
  std::list<Constant> constants_;
};

}  // namespace crosswalk::x64
