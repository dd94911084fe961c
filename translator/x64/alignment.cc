// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/alignment.h"

#include <bit>

namespace crosswalk::x64 {
namespace {

using ir::Inst;
using ir::Opcode;
using ir::Value;

constexpr int kDepth = 4;  // of sums looked into

}  // namespace

bool KnownAlignment::is_multiple(Value v, uint32_t mask, int depth) const {
  const LowBits bits = low_bits(v, mask, depth);
  return bits.root.is_none() && (bits.offset & mask) == 0;
}

KnownAlignment::LowBits KnownAlignment::low_bits(Value v, uint32_t mask, int depth) const {
  const auto shift = static_cast<uint32_t>(std::popcount(mask));
  LowBits bits;
  for (; depth > 0 && v.is_inst(); depth--) {
    const Inst& inst = block_.insts[v.index()];
    const Value a = inst.args[0], b = inst.args[1];
    const Value was = v;
    switch (inst.op) {
      case Opcode::Add:
        if (b.is_imm())
          bits.offset += b.imm32(), v = a;
        else if (is_multiple(b, mask, depth - 1))
          v = a;
        else if (is_multiple(a, mask, depth - 1))
          v = b;
        break;
      case Opcode::AddShifted:
        if (inst.imm >= shift || is_multiple(b, mask >> inst.imm, depth - 1)) v = a;
        break;
      case Opcode::Sub:
        if (b.is_imm())
          bits.offset -= b.imm32(), v = a;
        else if (is_multiple(b, mask, depth - 1))
          v = a;
        break;
      case Opcode::And:
        if (b.is_imm() && (b.imm32() & mask) == 0) return bits;
        if (b.is_imm() && (b.imm32() & mask) == mask) v = a;
        break;
      case Opcode::AndNot:
        if (b.is_imm() && (b.imm32() & mask) == mask) return bits;
        if (b.is_imm() && (b.imm32() & mask) == 0) v = a;
        break;
      case Opcode::Lsl:
        if (inst.imm >= shift) return bits;
        break;
      default: break;
    }
    if (v == was) break;
  }
  if (v.is_imm())
    bits.offset += v.imm32();
  else if (v.is_inst() && block_.insts[v.index()].op == Opcode::GuestAddress)
    bits.offset += block_.insts[v.index()].imm;  // a block moves by whole pages
  else
    bits.root = v;
  return bits;
}

bool KnownAlignment::check(Value va, int32_t displacement, uint32_t mask) {
  LowBits bits = low_bits(va, mask, kDepth);
  bits.offset += static_cast<uint32_t>(displacement);
  if (bits.root.is_none()) return (bits.offset & mask) == 0;
  for (const Checked& c : checked_)
    if (c.root == bits.root && (c.mask & mask) == mask && ((c.offset ^ bits.offset) & mask) == 0) return true;
  checked_.push_back({bits.root, mask, bits.offset});
  return false;
}

}  // namespace crosswalk::x64
