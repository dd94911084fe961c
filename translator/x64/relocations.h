// SPDX-License-Identifier: GPL-2.0-or-later
// What of a block's code depends on where the code is, and on the guest addresses that it was made
// for: with it, the block can be copied for another mapping of its page. Links (LinkSite) are
// besides.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <span>

#include "translator/x64/arena.h"

namespace crosswalk::x64 {

// A field of 4 bytes.
class Relocation {
 public:
  enum Kind : uint8_t {
    GuestAddress,  // a VA, with or without T in bit 0, at a fixed distance from the block's
    ToThunk,       // the distance to a thunk
  };
  Relocation() = default;
  Relocation(Kind kind, uint32_t offset) : bits_(offset << 1 | kind) {}
  Kind kind() const { return static_cast<Kind>(bits_ & 1); }
  uint32_t offset() const { return bits_ >> 1; }  // from the block's code

 private:
  uint32_t bits_ = 0;
};

class Relocations {
 public:
  Relocations(Xbyak::CodeGenerator& code, Arena& arena) : code_(code), start_(code.getCurr()), fields_(arena, 0, 32) {}

  // The field is the last of the instruction that was just emitted.
  void add(Relocation::Kind kind) { fields_.push_back({kind, static_cast<uint32_t>(code_.getCurr() - start_) - 4}); }
  std::span<const Relocation> all() const { return {fields_.begin(), fields_.size()}; }

 private:
  Xbyak::CodeGenerator& code_;
  const uint8_t* const start_;
  ArenaVector<Relocation> fields_;
};

}  // namespace crosswalk::x64
