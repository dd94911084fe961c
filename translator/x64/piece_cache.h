// SPDX-License-Identifier: GPL-2.0-or-later
// Position-independent pieces of code that differ in few ways: encoded once, copied from then on.
// What a software TLB lookup costs to encode anew each time was a fifth of a translation.
#pragma once

#include <tsl/robin_map.h>
#include <xbyak/xbyak.h>

#include <cstdint>
#include <cstring>

namespace crosswalk::x64 {

class PieceCache {
 public:
  // Emits what emit() emits at its first call with this key: at most kBytes, without jumps out of
  // it.
  template <class F>
  void emit(Xbyak::CodeGenerator& code, uint32_t key, F emit) {
    Piece& piece = pieces_[key];
    uint8_t* const at = const_cast<uint8_t*>(code.getCurr());
    if (piece.size == 0) {
      emit();
      const size_t size = static_cast<size_t>(code.getCurr() - at);
      if (size > kBytes) return;
      piece.size = static_cast<uint8_t>(size);
      std::memcpy(piece.bytes, at, size);
    } else {
      code.setSize(code.getSize() + piece.size);  // throws when it is full
      std::memcpy(at, piece.bytes, piece.size);
    }
  }

 private:
  static constexpr size_t kBytes = 55;
  struct Piece {
    uint8_t size = 0;  // 0: not yet
    uint8_t bytes[kBytes] = {};
  };
  // Keys differ in high bits too, where the map looks at the low ones.
  struct Hash {
    size_t operator()(uint32_t key) const { return (key * 0x9e3779b97f4a7c15u) >> 32; }
  };
  tsl::robin_map<uint32_t, Piece, Hash> pieces_;
};

}  // namespace crosswalk::x64
