// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps guest SIMD registers in values: a read takes what an earlier instruction wrote or read, and
// the store to CpuState stays. Going through memory would cost a store-to-load forwarding each
// time, and a stall where two D registers are read as a Q.
#include <algorithm>

#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

uint32_t bytes_of(Type type) { return type == Type::X32 ? 4 : type == Type::X64 ? 8 : 16; }

}  // namespace

// Beside what is known of overlapping registers, which stays true.
void KnownVectors::add(Type type, uint32_t first, Value value) {
  if (count_ == kMax) std::copy(known_ + 1, known_ + count_--, known_);
  known_[count_++] = {type, first, value};
}

Value KnownVectors::find(Type type, uint32_t first) const {
  for (size_t n = 0; n < count_; n++)
    if (known_[n].type == type && known_[n].first == first) return known_[n].value;
  return {};
}

void KnownVectors::written(const Inst& inst) {
  const Type type = info(inst.op).args[0];
  const uint32_t first = inst.imm * bytes_of(type), end = first + bytes_of(type);
  const auto overlaps = [&](const Known& k) { return k.first < end && first < k.first + bytes_of(k.type); };
  count_ = static_cast<size_t>(std::remove_if(known_, known_ + count_, overlaps) - known_);
  add(type, first, inst.args[0]);
}

Value KnownVectors::read(Inst& inst, uint32_t index) {
  const Type type = info(inst.op).result;
  const uint32_t first = inst.imm * bytes_of(type);
  if (const Value v = find(type, first); !v.is_none()) return v;
  if (type == Type::X64) {
    if (const Value q = find(Type::X128, first & ~15u); !q.is_none()) {
      inst.op = first & 8 ? Opcode::VecHigh : Opcode::VecLow;
      inst.imm = 0;
      inst.args[0] = q;
    }
  } else if (type == Type::X128) {
    const Value low = find(Type::X64, first), high = find(Type::X64, first + 8);
    if (!low.is_none() && !high.is_none()) {
      inst.op = Opcode::VecPair;
      inst.imm = 0;
      inst.args[0] = low;
      inst.args[1] = high;
    }
  }
  add(type, first, Value::inst(index));
  return {};
}

}  // namespace crosswalk::ir
