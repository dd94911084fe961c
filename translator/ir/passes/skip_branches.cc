// SPDX-License-Identifier: GPL-2.0-or-later
// Branches of a loop that go ahead in its block. As skips they do not leave it: what it keeps from
// one round to the next stays, and so does what it knows of flags.
#include <algorithm>

#include "translator/ir/ir.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

struct Branch {
  Opcode skip;
  uint32_t imm;
  uint32_t target;
};
// What skips where this instruction branches; Opcode::Count: it is no conditional branch.
Branch branch_of(const Inst& inst) {
  switch (inst.op) {
    case Opcode::JumpIf: return {Opcode::SkipUnless, (inst.imm ^ 1) | kBranch, static_cast<uint32_t>(inst.aux)};
    case Opcode::JumpIfZero: return {Opcode::SkipIfZero, kBranch, inst.imm};
    case Opcode::JumpIfNotZero: return {Opcode::SkipIfNotZero, kBranch, inst.imm};
    case Opcode::Jump: return {Opcode::Count, 0, inst.imm};
    default: return {Opcode::Count, 0, UINT32_MAX};
  }
}

class Branches {
 public:
  explicit Branches(Block& block) : block_(block), insts_(block.insts) {}

  void run() {
    for (uint32_t i = 0; i < insts_.size() && count_ < kMost; i++) {
      const Branch branch = branch_of(insts_[i]);
      if (branch.skip == Opcode::Count) continue;
      const uint32_t guest = guest_at(branch.target);
      if (guest <= insts_[i].guest || guest == block_.guest.size()) continue;
      const uint32_t to = first_of(guest, i);
      if (!may_skip(i, to)) continue;
      Inst& skip = insts_[i];
      skip.op = branch.skip;
      skip.imm = branch.imm;
      skip.aux = label_at(to, guest);
    }
    if (count_ != 0) place_labels();
  }

 private:
  static constexpr size_t kMost = 8;
  struct Target {
    uint32_t before;  // of the instruction
    uint32_t guest;
    uint32_t label;
  };

  // The guest instruction that a branch goes to, where no IT block has begun; none: their number.
  uint32_t guest_at(uint32_t target) const {
    const auto& guest = block_.guest;
    const auto at = [&](const GuestInst& g) { return (g.pc | block_.thumb) == target && g.it == 0; };
    return static_cast<uint32_t>(std::ranges::find_if(guest, at) - guest.begin());
  }
  // Its first instruction, behind labels that end what is before it.
  uint32_t first_of(uint32_t guest, uint32_t from) const {
    uint32_t i = from + 1;
    while (i < insts_.size() && insts_[i].guest < guest) i++;
    while (i < insts_.size() && insts_[i].op == Opcode::Label) i++;
    return i;
  }
  // What the frontend knows after what is skipped does not come from there: neither checks, which
  // call, nor values. And nothing is skipped to whose condition has not been tested.
  bool may_skip(uint32_t i, uint32_t to) const {
    if (to >= insts_.size()) return false;
    for (uint32_t n = i + 1; n < to; n++) {
      const Inst& inst = insts_[n];
      const uint32_t attributes = info(inst.op).attributes;
      if ((attributes & C) || inst.op == Opcode::RequirePrivileged) return false;
      if ((attributes & J) && inst.op != Opcode::Label && !(inst.imm & kBranch) && !ends_before(inst.aux, n, to))
        return false;
    }
    for (uint32_t n = to; n < insts_.size(); n++)
      for (const Value v : insts_[n].args)
        if (v.is_inst() && v.index() > i && v.index() < to) return false;
    return true;
  }
  bool ends_before(uint64_t label, uint32_t from, uint32_t to) const {
    for (uint32_t n = from; n < to; n++)
      if (insts_[n].op == Opcode::Label && insts_[n].imm == label) return true;
    return false;
  }
  uint32_t label_at(uint32_t before, uint32_t guest) {
    for (size_t k = 0; k < count_; k++)
      if (targets_[k].before == before) return targets_[k].label;
    targets_[count_++] = {before, guest, block_.label_count};
    return block_.label_count++;
  }
  // From the back: each instruction goes to where those behind it have left.
  void place_labels() {
    std::sort(targets_, targets_ + count_, [](const Target& a, const Target& b) { return a.before < b.before; });
    auto& renumbered = block_.replacement;
    const auto n = static_cast<uint32_t>(insts_.size());
    renumbered.resize(n);
    uint32_t labels = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (labels < count_ && targets_[labels].before == i) labels++;
      renumbered[i] = Value::inst(i + labels);
    }
    insts_.resize(n + count_);
    for (uint32_t i = n; i-- > 0;) {
      Inst inst = insts_[i];
      for (Value& v : inst.args)
        if (v.is_inst()) v = renumbered[v.index()];
      const uint32_t to = renumbered[i].index();
      insts_[to] = inst;
      if (labels == 0 || targets_[labels - 1].before != i) continue;
      const Target& target = targets_[--labels];
      Inst& label = insts_[to - 1] = Inst();
      label.op = Opcode::Label;
      label.guest = static_cast<uint16_t>(target.guest);
      label.imm = target.label;
      label.aux = kBranch;
    }
  }

  Block& block_;
  std::vector<Inst>& insts_;
  Target targets_[kMost];
  size_t count_ = 0;
};

}  // namespace

void skip_branches(Block& block) {
  const uint32_t start = block.pc | block.thumb;
  const bool loops = std::ranges::any_of(
      block.insts, [&](const Inst& inst) { return (info(inst.op).attributes & X) && branch_of(inst).target == start; });
  if (loops) Branches(block).run();
}

}  // namespace crosswalk::ir
