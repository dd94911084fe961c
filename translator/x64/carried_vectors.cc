// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/carried_vectors.h"

#include <algorithm>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/x64/places.h"

namespace crosswalk::x64 {
namespace {

using ir::Opcode;
using ir::Type;

struct Access {
  size_t offset;
  size_t bytes;
  Type type;
  bool write;
};

std::optional<Access> access_of(const ir::Inst& inst) {
  const auto access = [&](Type type, size_t bytes, bool write) {
    return Access{offsetof(CpuState, vreg) + bytes * inst.imm, bytes, type, write};
  };
  switch (inst.op) {
    case Opcode::GetS: return access(Type::X32, 4, false);
    case Opcode::GetD: return access(Type::X64, 8, false);
    case Opcode::GetQ: return access(Type::X128, 16, false);
    case Opcode::SetS: return access(Type::X32, 4, true);
    case Opcode::SetD: return access(Type::X64, 8, true);
    case Opcode::SetQ: return access(Type::X128, 16, true);
    default: return {};
  }
}

bool jumps_to(const ir::Inst& inst, uint32_t target) {
  switch (inst.op) {
    case Opcode::Jump:
    case Opcode::JumpIfZero:
    case Opcode::JumpIfNotZero: return inst.imm == target;
    case Opcode::JumpIf:
    case Opcode::JumpIfCompare: return inst.aux == target;
    default: return false;
  }
}

bool is_loop(const ir::Block& block) {
  const uint32_t start = block.pc | block.thumb;
  return std::ranges::any_of(block.insts, [&](const ir::Inst& inst) { return jumps_to(inst, start); });
}

}  // namespace

bool loops_in_standard_rounding(const ir::Block& block) {
  const uint32_t start = block.pc | block.thumb;
  bool found = false, loop = false;
  for (const ir::Inst& inst : block.insts) {
    loop |= found && jumps_to(inst, start);
    // Calls, and where paths join, need the other one. What is behind the loop may have any.
    if ((ir::info(inst.op).attributes & (ir::C | ir::J)) ||
        (inst.op >= Opcode::FpAdd32 && inst.op <= Opcode::FpWriteFpscr))
      break;
    found |= inst.op >= Opcode::VecFAdd && inst.op <= Opcode::VecFFromHalf;
  }
  return loop;
}

CarriedVectors::CarriedVectors(const ir::Block& block) {
  loop_ = is_loop(block);
  if (!loop_) return;
  struct Candidate {
    Access first;
    bool possible;
  };
  std::vector<Candidate> candidates;
  for (const ir::Inst& inst : block.insts) {
    if (ir::info(inst.op).attributes & ir::C) return;
    const auto access = access_of(inst);
    if (!access) continue;
    bool known = false;
    for (Candidate& c : candidates) {
      const bool same = c.first.offset == access->offset && c.first.type == access->type;
      const bool overlaps =
          c.first.offset < access->offset + access->bytes && access->offset < c.first.offset + c.first.bytes;
      if (overlaps && !same) c.possible = false;
      known |= overlaps;
    }
    // What overlaps an earlier one of another type is no candidate either.
    if (!known) candidates.push_back({*access, !access->write});
  }
  for (const Candidate& c : candidates) {
    if (!c.possible || count_ == kMost) continue;
    const uint8_t xmm = static_cast<uint8_t>(kFileRegisters - 1 - count_);
    registers_[count_++] = {static_cast<uint16_t>(c.first.offset), c.first.type, xmm};
    mask_ |= 1u << xmm;
  }
}

std::optional<uint8_t> CarriedVectors::at(size_t offset) const {
  for (const Register& r : registers())
    if (r.offset == offset) return r.xmm;
  return {};
}

}  // namespace crosswalk::x64
