// SPDX-License-Identifier: GPL-2.0-or-later
// The rules of forward(), for one instruction each, whose arguments have been replaced before; and
// what other passes share with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "translator/ir/ir.h"

namespace crosswalk::ir {

inline bool is_impure_call(uint32_t attributes) { return (attributes & (C | P)) == C; }

// As an assignment, for which GCC takes REP MOVS: slow for so few bytes.
inline void copy_inst(Inst& to, const Inst& from) {
  static_assert(std::is_trivially_copyable_v<Inst> && sizeof(Inst) == 88);
  auto* const t = reinterpret_cast<std::byte*>(&to);
  const auto* const f = reinterpret_cast<const std::byte*>(&from);
  std::memcpy(t, f, 16);
  std::memcpy(t + 16, f + 16, 16);
  std::memcpy(t + 32, f + 32, 16);
  std::memcpy(t + 48, f + 48, 16);
  std::memcpy(t + 64, f + 64, 16);
  std::memcpy(t + 80, f + 80, 8);
}

// An instruction without a use or an effect, for remove_dead; and a read of no register, so that it
// is in the way of nothing that looks for one.
inline void make_unused(Inst& inst) {
  inst.op = Opcode::LoadState8;
  inst.imm = 0;
  for (Value& v : inst.args) v = {};
}

// Instructions `first` to before `middle` go behind those to before `last`.
void rotate(std::vector<Inst>& insts, size_t first, size_t middle, size_t last);

// Of a pure instruction, what its result is, if that need not be computed: a constant, or an
// argument. Otherwise none; it may have become another instruction. `constant`: all its arguments
// are.
Value fold_constants(const Block& block, Inst& inst, bool constant);

// What is known to be in guest SIMD registers.
class KnownVectors {
 public:
  void forget_all() { count_ = 0; }
  // `inst` is SetS, SetD or SetQ.
  void written(const Inst& inst);
  // `inst` is instruction `index`, GetS, GetD or GetQ: its result if that is known, or else none.
  // It may have become a part of a Q register, or a pair of D registers.
  Value read(Inst& inst, uint32_t index);

 private:
  // Bounds how many values stay live for this: well below the registers and spill slots of the
  // backend.
  static constexpr size_t kMax = 8;
  struct Known {
    Type type;       // X32, X64 or X128
    uint32_t first;  // byte offset in the register file
    Value value;
  };
  void add(Type type, uint32_t first, Value value);
  Value find(Type type, uint32_t first) const;

  Known known_[kMax];  // oldest first
  size_t count_ = 0;
};

}  // namespace crosswalk::ir
