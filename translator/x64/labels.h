// SPDX-License-Identifier: GPL-2.0-or-later
// Near jumps (rel32) within a block. Xbyak's labels know every copy of themselves, which costs more
// than the rest of an instruction that jumps; these are numbers, free to copy into what is emitted
// out of line, and patched in one go.
#pragma once

#include <cstdint>
#include <cstring>

#include "translator/x64/arena.h"
#include "translator/x64/assembler.h"

namespace crosswalk::x64 {

// The low bits of Jcc, SETcc and CMOVcc (SDM volume 2, appendix B.1.4.7).
enum Condition : uint8_t {
  kOverflow,
  kNotOverflow,
  kBelow,
  kAboveEqual,
  kEqual,
  kNotEqual,
  kBelowEqual,
  kAbove,
  kSign,
  kNotSign,
  kParity,
  kNotParity,
  kLess,
  kGreaterEqual,
  kLessEqual,
  kGreater
};

class Label {
 private:
  friend class Labels;
  uint32_t number_ = UINT32_MAX;
};

class Labels {
 public:
  Labels(Assembler& code, Arena& arena) : code_(code), at_(arena, 0, 32), jumps_(arena, 0, 32) {}

  Label make() {
    Label l;
    l.number_ = static_cast<uint32_t>(at_.size());
    at_.push_back(nullptr);
    return l;
  }
  // The label is here. Once for each label that is jumped to.
  void bind(Label l) { at_[l.number_] = code_.getCurr(); }
  // Patchable: another thread may go on changing the distance while the jump is executed
  // (LinkSite).
  void jmp(Label l, bool patchable = false) {
    if (patchable) align_field(1);
    code_.bytes(0xe9, 5);
    add(l);
  }
  void jcc(Condition condition, Label l, bool patchable = false) {
    if (patchable) align_field(2);
    code_.bytes(0x800fu | condition << 8, 6);
    add(l);
  }
  // Before an instruction that begins with `bytes` bytes and then a field of 4: emits prefixes such
  // that the field lies in one aligned word of 8. The prefix is 2E, a segment override that 64-bit
  // mode ignores (Intel SDM vol. 1, 3.4.2.1) and an old hint on jumps. NOPs would be executed.
  static constexpr uint8_t kIgnoredPrefix = 0x2e;
  void align_field(uint32_t bytes) {
    while ((reinterpret_cast<uintptr_t>(code_.getCurr()) + bytes) % 8 > 4) code_.db(kIgnoredPrefix);
  }
  // Writes the distances. Precondition: every label that is jumped to is bound.
  void patch() {
    for (const Jump& j : jumps_) {
      const int32_t relative = static_cast<int32_t>(at_[j.label] - (j.rel32 + 4));
      std::memcpy(j.rel32, &relative, 4);
    }
    jumps_.clear();
  }

 private:
  struct Jump {
    uint8_t* rel32;
    uint32_t label;
  };
  // The field was just emitted.
  void add(Label l) { jumps_.push_back({const_cast<uint8_t*>(code_.getCurr()) - 4, l.number_}); }

  Assembler& code_;
  ArenaVector<const uint8_t*> at_;  // by number; null: not bound
  ArenaVector<Jump> jumps_;
};

}  // namespace crosswalk::x64
