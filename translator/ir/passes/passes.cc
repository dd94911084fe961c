// SPDX-License-Identifier: GPL-2.0-or-later
// The walk from the back: what nobody can see goes. See ir.h for what each pass promises.
#include <algorithm>

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"
#include "translator/ir/passes/flags.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

// The part of the SIMD registers that an instruction reads or writes: bit n is bytes 4n to 4n + 3.
uint64_t vector_words(const Inst& inst) {
  switch (inst.op) {
    case Opcode::GetS:
    case Opcode::SetS: return uint64_t{1} << inst.imm;
    case Opcode::GetD:
    case Opcode::SetD: return uint64_t{3} << 2 * inst.imm;
    case Opcode::GetQ:
    case Opcode::SetQ: return uint64_t{15} << 4 * inst.imm;
    default: return 0;
  }
}
// What of Inst::flags_live keeps an instruction.
uint8_t flags_wanted(uint32_t attributes) {
  const uint8_t written = attributes >> kWritesShift & kAllFlags;
  return written ? written | kEflags : 0;
}

// The flags that are live at labels: the latest few of them, from the back.
class FlagsAtLabels {
 public:
  void note(uint32_t label, uint8_t live) { entries_[next_++ % kMost] = {label, live}; }
  uint8_t at(uint64_t label) const {
    for (const Entry& e : entries_)
      if (e.label == label) return e.live;
    return kAllFlags;
  }

 private:
  static constexpr size_t kMost = 4;
  struct Entry {
    uint32_t label = UINT32_MAX;
    uint8_t live = kAllFlags;
  };
  Entry entries_[kMost];
  size_t next_ = 0;
};

// What of the guest's state is written again, or not read any more, before anything can see it.
class Unseen {
 public:
  // The instruction before: whether all that it writes is unseen. Sets flags_live.
  bool step_back(Inst& inst, uint32_t attributes) {
    switch (inst.op) {
      case Opcode::SetReg: {
        const uint32_t bit = 1u << inst.imm;
        const bool unseen = (overwritten_ & bit) != 0;
        overwritten_ |= bit;
        return unseen;
      }
      case Opcode::SetS:
      case Opcode::SetD:
      case Opcode::SetQ: {
        const uint64_t words = vector_words(inst);
        const bool unseen = (overwritten_vectors_ & words) == words;
        overwritten_vectors_ |= words;
        return unseen;
      }
      case Opcode::GetS:
      case Opcode::GetD:
      case Opcode::GetQ: overwritten_vectors_ &= ~vector_words(inst); return false;
      case Opcode::GetReg:
      case Opcode::GetUserReg:
      case Opcode::SetUserReg: overwritten_ &= ~(1u << inst.imm); break;
      default: break;
    }
    constexpr uint32_t kFlags = (kAllFlags << kReadsShift) | (kAllFlags << kWritesShift);
    if (!(attributes & (F | X | J | C | kFlags))) return false;
    const bool call = is_impure_call(attributes);
    if ((attributes & (F | X | J)) || call) overwritten_ = 0, overwritten_vectors_ = 0;
    if (call) {
      inst.flags_live = kAllFlags;
      // It writes flags at most, and reads them unless it promises that neither it nor an exit
      // does.
      if ((inst.imm & (kCallNoFlags | kCallMayExit)) != kCallNoFlags) live_ = kAllFlags;
      return false;
    }
    const uint8_t written = attributes >> kWritesShift & kAllFlags;
    const uint8_t reads = flags_read(inst), read = reads && inst.from_eflags ? kEflags : reads;
    const uint8_t produced = eflags_after(inst) == EflagsForm::None ? 0 : kEflags;
    if (written) inst.flags_live = live_ & (written | produced);
    live_ &= ~produced;
    if (inst.op == Opcode::JumpIfCompare) {  // it leaves with the flags that it sets
      live_ = static_cast<uint8_t>((kAllFlags & ~written) | (inst.imm & kOfDifference ? kEflags : 0));
      return false;
    }
    if (inst.op == Opcode::Label) labels_.note(inst.imm, live_);
    if (skips(inst.op)) live_ |= labels_.at(inst.aux);
    if (attributes & (F | X)) live_ = kAllFlags;
    live_ = static_cast<uint8_t>((live_ & ~written) | read);
    return false;
  }

 private:
  uint8_t live_ = kAllFlags;
  FlagsAtLabels labels_;
  uint32_t overwritten_ = 0;          // bit n: register n
  uint64_t overwritten_vectors_ = 0;  // as vector_words()
};

}  // namespace

void rotate(std::vector<Inst>& insts, size_t first, size_t middle, size_t last) {
  const auto begin = insts.begin();
  std::rotate(begin + static_cast<ptrdiff_t>(first), begin + static_cast<ptrdiff_t>(middle),
              begin + static_cast<ptrdiff_t>(last));
  for (size_t i = first; i < insts.size(); i++) {
    for (Value& v : insts[i].args) {
      if (!v.is_inst() || v.index() < first || v.index() >= last) continue;
      const size_t index = v.index() < middle ? v.index() + (last - middle) : v.index() - (middle - first);
      v = Value::inst(static_cast<uint32_t>(index));
    }
  }
}

void count_uses(Block& block) {
  for (Inst& inst : block.insts) inst.uses = 0;
  for (const Inst& inst : block.insts)
    for (const Value v : inst.args)
      if (v.is_inst()) block.insts[v.index()].uses++;
}

void set_out_of_line(Block& block, uint16_t guest) {
  for (Inst& inst : block.insts) {
    if (inst.guest != guest || !(info(inst.op).attributes & M)) continue;
    MemAccess m = MemAccess::unpack(inst.imm);
    m.out_of_line = true;
    inst.imm = m.pack();
  }
}

void remove_dead(Block& block) {
  Inst* const insts = block.insts.data();
  const size_t n = block.insts.size();
  for (size_t i = 0; i < n; i++) insts[i].uses = 0;
  constexpr Opcode kDeleted = Opcode::Count;
  size_t first_deleted = n;
  Unseen unseen;
  for (size_t i = n; i-- > 0;) {
    Inst& inst = insts[i];
    const uint32_t attributes = info(inst.op).attributes;
    const bool unseen_write = unseen.step_back(inst, attributes);
    const bool discardable = (attributes & (P | D)) && !(inst.flags_live & flags_wanted(attributes));
    if (unseen_write || (inst.uses == 0 && discardable)) {
      inst.op = kDeleted;
      first_deleted = i;
      continue;
    }
    for (const Value& v : inst.args) {
      if (v.is_none()) break;
      if (v.is_inst()) insts[v.index()].uses++;
    }
  }
  if (first_deleted == n) return;
  auto& renumbered = block.replacement;  // by instruction, from the first deleted one on
  renumbered.resize(n);
  size_t out = first_deleted;
  for (size_t i = first_deleted; i < n; i++) {
    if (insts[i].op == kDeleted) continue;
    Inst& inst = insts[out];
    copy_inst(inst, insts[i]);
    for (Value& v : inst.args) {
      if (v.is_none()) break;
      if (v.is_inst() && v.index() >= first_deleted) v = renumbered[v.index()];
    }
    renumbered[i] = Value::inst(static_cast<uint32_t>(out++));
  }
  block.insts.resize(out);
}

std::span<const Pass> passes() {
  static constexpr Pass kPasses[] = {
      {"skip_branches", skip_branches},
      {"thread_skips", thread_skips},
      {"forward", [](Block& block) { forward(block); }},
      {"share_lookups", share_lookups, true},
      {"fuse_compares", fuse_compares, false, true},
      {"use_eflags", use_eflags, false, true},
      {"remove_dead", remove_dead},
  };
  return kPasses;
}

}  // namespace crosswalk::ir
