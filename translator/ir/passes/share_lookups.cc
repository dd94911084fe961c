// SPDX-License-Identifier: GPL-2.0-or-later
// Neighbouring accesses share one lookup of the software TLB: those of LDM, STM, push and pop, and
// runs of loads and stores through one base register. HostSpan checks them all before the first.
//
// Its host address stays right until the block may have been interrupted: only then, or by what
// ends a group here, does a translation that the guest may still use go away. One that another CPU
// forbids stores through, because it has translated code of the page, may be used until the next
// poll (docs/structure.md, "Code that another CPU changes").
#include <algorithm>
#include <optional>
#include <utility>

#include "translator/ir/ir.h"

namespace crosswalk::ir {
namespace {

constexpr uint32_t kPageBytes = 0x1000;
// Host addresses that are live at the same time take registers and spill slots.
constexpr size_t kMaxOpen = 4;

struct Access {
  uint32_t index;  // of the instruction
  Value base;      // constants: the page
  int32_t displacement;
  MemAccess m;
  bool store;
  // The block can be left before it: its guest instruction has done nothing yet, and a translation
  // can begin there.
  bool can_lead;

  int32_t end() const { return displacement + (1 << m.log2_bytes); }
};

struct Form {
  Opcode host;
  bool store;
};
std::optional<Form> host_form(Opcode op) {
  switch (op) {
    case Opcode::Load: return Form{Opcode::HostLoad, false};
    case Opcode::Load64: return Form{Opcode::HostLoad64, false};
    case Opcode::LoadX32: return Form{Opcode::HostLoadX32, false};
    case Opcode::LoadX64: return Form{Opcode::HostLoadX64, false};
    case Opcode::LoadX128: return Form{Opcode::HostLoadX128, false};
    case Opcode::Store: return Form{Opcode::HostStore, true};
    case Opcode::Store64: return Form{Opcode::HostStore64, true};
    case Opcode::StoreX32: return Form{Opcode::HostStoreX32, true};
    case Opcode::StoreX64: return Form{Opcode::HostStoreX64, true};
    case Opcode::StoreX128: return Form{Opcode::HostStoreX128, true};
    default: return {};
  }
}

// What may change what addresses mean: calls, which write system registers and let interrupts in,
// broadcast maintenance of TLBs that is made complete; and where paths join, nothing is known of
// the other one.
bool ends_groups(const Inst& inst) {
  const uint16_t attributes = info(inst.op).attributes;
  return (attributes & J) || (attributes & (C | P)) == C || inst.op == Opcode::SynchronizationBarrier;
}

// Whether the guest instruction would not be the same if it began anew after this.
bool has_effect(const Inst& inst) {
  const OpcodeInfo& op = info(inst.op);
  if (inst.op == Opcode::RequirePrivileged) return false;
  if (op.attributes & (M | X | W | WGE)) return true;
  return !(op.attributes & (P | D | J));
}

bool leaves(const Inst& inst) { return (info(inst.op).attributes & E) != 0; }

class Group {
 public:
  explicit Group(const Access& first) : accesses_{first} {}

  const std::vector<Access>& accesses() const { return accesses_; }
  bool takes(const Access& a) const {
    if (!(a.base == accesses_.front().base)) return false;
    const int64_t low = std::min(this->low(), a.displacement), high = std::max(end(), a.end());
    if (high - low > kMaxSpan || (a.store && loads_only_)) return false;
    // What is aligned follows from the alignment of the first byte.
    const auto fits = [&](const Access& x) { return ((x.displacement - low) & ((1 << x.m.align_log2) - 1)) == 0; };
    return fits(a) && std::all_of(accesses_.begin(), accesses_.end(), fits);
  }
  void add(const Access& a) { accesses_.push_back(a); }
  // What follows may not be executed: where only loads are made, store access must not be asked
  // for.
  void note_branch() { loads_only_ = !stores(); }
  int32_t low() const {
    int32_t low = INT32_MAX;
    for (const Access& a : accesses_) low = std::min(low, a.displacement);
    return low;
  }
  int32_t end() const {
    int32_t end = INT32_MIN;
    for (const Access& a : accesses_) end = std::max(end, a.end());
    return end;
  }
  bool stores() const {
    return std::any_of(accesses_.begin(), accesses_.end(), [](const Access& a) { return a.store; });
  }
  SpanCheck check() const {
    SpanCheck c;
    c.bytes = static_cast<uint16_t>(end() - low());
    for (const Access& a : accesses_) c.align_log2 = std::max(c.align_log2, a.m.align_log2);
    c.store = stores();
    return c;
  }

 private:
  std::vector<Access> accesses_;  // in the order of the block
  bool loads_only_ = false;
};

// Finds the groups of a block.
class Groups {
 public:
  explicit Groups(const Block& block) : block_(block) {
    uint16_t guest = UINT16_MAX;
    bool clean = false;  // the guest instruction has had no effect so far
    std::vector<uint16_t> skipped_clean(block.label_count, UINT16_MAX);  // by label: in this guest instruction
    for (uint32_t i = 0; i < block.insts.size(); i++) {
      const Inst& inst = block.insts[i];
      if (inst.guest != guest) clean = true;
      guest = inst.guest;
      if (inst.op == Opcode::SkipIfZero && clean) skipped_clean[inst.aux] = guest;
      // What was skipped, such as raising an exception, does not come back here.
      if (inst.op == Opcode::Label && skipped_clean[inst.imm] == guest && leaves(block.insts[i - 1])) clean = true;
      if (ends_groups(inst))
        close_all();
      else if (const std::optional<Form> form = host_form(inst.op))
        note(i, form->store, clean && (guest >= block.guest.size() || block.guest[guest].it == 0));
      else if (info(inst.op).attributes & M)
        single_stores_.push_back(i);  // exclusives
      else if (info(inst.op).attributes & X)
        for (Group& group : open_) group.note_branch();
      clean = clean && !has_effect(inst);
    }
    close_all();
    split_at_other_stores();
  }

  std::vector<Group> found;

 private:
  void note(uint32_t index, bool store, bool can_lead) {
    const Inst& inst = block_.insts[index];
    Access a{index, inst.args[0], static_cast<int32_t>(inst.aux), MemAccess::unpack(inst.imm), store, can_lead};
    if (a.base.is_imm()) {
      const uint32_t va = a.base.imm32() + static_cast<uint32_t>(a.displacement);
      a.base = Value::imm(va & ~(kPageBytes - 1));
      a.displacement = static_cast<int32_t>(va % kPageBytes);
      if (a.end() > static_cast<int32_t>(kPageBytes)) return note_single(a);
    }
    if (a.m.out_of_line || a.m.unprivileged) return note_single(a);
    for (Group& group : open_)
      if (group.takes(a)) return group.add(a);
    if (!a.can_lead) return note_single(a);
    if (open_.size() == kMaxOpen) close(0);
    open_.emplace_back(a);
  }
  void note_single(const Access& a) {
    if (a.store) single_stores_.push_back(a.index);
  }
  void close(size_t n) {
    if (open_[n].accesses().size() > 1)
      found.push_back(std::move(open_[n]));
    else
      note_single(open_[n].accesses().front());
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(n));
  }
  void close_all() {
    while (!open_.empty()) close(0);
  }

  // A store to flash makes its banks unreadable (Mmu::flash_hidden), and may do so to the bank that
  // a group loads from. Stores of groups go to RAM.
  void split_at_other_stores() {
    std::vector<Group> all;
    std::swap(all, found);
    for (const Group& group : all) {
      if (group.stores()) {
        found.push_back(group);
        continue;
      }
      std::optional<Group> part;
      const auto end_part = [&] {
        if (part && part->accesses().size() > 1) found.push_back(*part);
        part.reset();
      };
      uint32_t last = 0;
      for (const Access& a : group.accesses()) {
        if (part && std::any_of(single_stores_.begin(), single_stores_.end(),
                                [&](uint32_t s) { return s > last && s < a.index; }))
          end_part();
        last = a.index;
        if (part)
          part->add(a);
        else if (a.can_lead)
          part.emplace(a);
      }
      end_part();
    }
  }

  const Block& block_;
  std::vector<Group> open_;
  std::vector<uint32_t> single_stores_;  // instructions that may store and have a lookup of their own
};

}  // namespace

void share_lookups(Block& block) {
  const std::vector<Group> groups = Groups(block).found;
  if (groups.empty()) return;
  // By instruction: 1 + the group that it is of, and whether it is its first.
  struct Member {
    size_t group = 0;
    bool first = false;
  };
  std::vector<Member> members(block.insts.size());
  for (size_t g = 0; g < groups.size(); g++)
    for (const Access& a : groups[g].accesses()) members[a.index] = {g + 1, &a == &groups[g].accesses().front()};
  std::vector<Value> hosts(groups.size());
  auto& renumbered = block.replacement;
  renumbered.assign(block.insts.size(), {});
  std::vector<Inst> out;
  out.reserve(block.insts.size() + groups.size());
  for (size_t i = 0; i < block.insts.size(); i++) {
    Inst inst = block.insts[i];
    for (Value& v : inst.args)
      if (v.is_inst()) v = renumbered[v.index()];
    if (members[i].group != 0) {
      const size_t g = members[i].group - 1;
      const Group& group = groups[g];
      int32_t displacement = static_cast<int32_t>(inst.aux);
      Value base = inst.args[0];
      if (base.is_imm()) {
        const uint32_t va = base.imm32() + static_cast<uint32_t>(displacement);
        base = Value::imm(va & ~(kPageBytes - 1));
        displacement = static_cast<int32_t>(va % kPageBytes);
      }
      if (members[i].first) {
        Inst span;
        span.op = Opcode::HostSpan;
        span.guest = inst.guest;
        span.imm = group.check().pack();
        span.aux = static_cast<uint32_t>(group.low());
        span.args[0] = base;
        hosts[g] = Value::inst(static_cast<uint32_t>(out.size()));
        out.push_back(span);
      }
      inst.op = host_form(inst.op)->host;
      inst.args[0] = hosts[g];
      inst.aux = static_cast<uint32_t>(displacement - group.low());
    }
    renumbered[i] = Value::inst(static_cast<uint32_t>(out.size()));
    out.push_back(inst);
  }
  block.insts = std::move(out);
}

}  // namespace crosswalk::ir
