// SPDX-License-Identifier: GPL-2.0-or-later
// Neighbouring accesses share one lookup of the software TLB: those of LDM, STM, push and pop, and
// runs of loads and stores through one base register. HostSpan checks them all before the first.
//
// What is skipped, and what follows behind it, may use the lookup of an access before the skip.
//
// Its host address stays right until the block may have been interrupted: only then, or by what
// ends a group here, does a translation that the guest may still use go away. One that another CPU
// forbids stores through, because it has translated code of the page, may be used until the next
// poll (docs/structure.md, "Code that another CPU changes").
#include <algorithm>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>

#include "translator/ir/ir.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

constexpr uint32_t kPageBytes = 0x1000;
// Host addresses that are live at the same time take registers and spill slots.
constexpr size_t kMaxOpen = 4;
constexpr uint32_t kNone = UINT32_MAX;

struct Access {
  uint32_t index;  // of the instruction
  uint32_t group;  // or kNone
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
// and broadcast maintenance of TLBs that is made complete.
bool ends_groups(const Inst& inst, uint32_t attributes) {
  return (attributes & (C | P)) == C || inst.op == Opcode::SynchronizationBarrier;
}

// Whether an access follows another with nothing between that ends groups.
bool has_neighbours(const Block& block) {
  bool follows = false;
  for (const Inst& inst : block.insts) {
    const uint32_t attributes = info(inst.op).attributes;
    if (attributes & A) {
      if (follows) return true;
      follows = true;
    } else if (ends_groups(inst, attributes)) {
      follows = false;
    }
  }
  return false;
}

// Whether the guest instruction would not be the same if it began anew after this.
bool has_effect(const Inst& inst, uint32_t attributes) {
  if (inst.op == Opcode::RequirePrivileged) return false;
  return (attributes & (M | X | W | WGE)) || !(attributes & (P | D | J));
}

// Neighbours; with fewer than two there is nothing to share.
struct Group {
  Value base;
  uint32_t first;  // index of the first access
  uint32_t count = 0;
  int32_t low = INT32_MAX, end = INT32_MIN;
  uint8_t align_log2 = 0;
  bool stores = false;
  bool loads_only = false;  // what follows may not be executed: store access must not be asked for
  Value host{};             // its HostSpan

  void add(const Access& a) {
    count++;
    low = std::min(low, a.displacement);
    end = std::max(end, a.end());
    align_log2 = std::max(align_log2, a.m.align_log2);
    stores |= a.store;
  }
  uint32_t check() const {
    SpanCheck c;
    c.bytes = static_cast<uint16_t>(end - low);
    c.align_log2 = align_log2;
    c.store = stores;
    return c.pack();
  }
};

// The skips of a block as a walk from the front finds them.
class Skips {
 public:
  Skips(const Block& block, std::pmr::memory_resource* memory) : labels_(block.label_count, {}, memory) {}

  void skip(const Inst& inst, uint32_t index) {
    Label& l = labels_[inst.aux];
    if (l.first == kNone) l.first = index;
    l.last = index;
  }
  void label(const Inst& inst, uint32_t index) { labels_[inst.imm].at = index; }

  // Whether what comes now may not be executed though the instruction `since` was.
  bool is_conditional(uint32_t since) const {
    return std::ranges::any_of(labels_,
                               [&](const Label& l) { return l.at == kNone && l.last != kNone && l.last > since; });
  }
  // Whether instruction `index` is never executed without `first`.
  bool always_follows(uint32_t first, uint32_t index) const {
    return std::ranges::none_of(labels_,
                                [&](const Label& l) { return l.at > first && l.at < index && l.first < first; });
  }

 private:
  struct Label {
    uint32_t first = kNone, last = kNone;  // skips to it
    uint32_t at = kNone;
  };
  std::pmr::vector<Label> labels_;
};

// The accesses of a block, and their groups.
class Groups {
 public:
  explicit Groups(Block& block) : block_(block) {
    const size_t n = block.insts.size();
    accesses_.reserve(32);
    groups_.reserve(32);
    uint16_t guest = UINT16_MAX;
    // The guest instruction has had no effect so far; and, by label, had none in which one.
    bool clean = false;
    std::pmr::vector<uint16_t> skipped_clean(&memory_);
    if (block.label_count != 0) skipped_clean.assign(block.label_count, UINT16_MAX);
    for (uint32_t i = 0; i < n; i++) {
      const Inst& inst = block.insts[i];
      const uint32_t attributes = info(inst.op).attributes;
      if (inst.guest != guest) clean = true;
      guest = inst.guest;
      if (inst.op == Opcode::SetReg || inst.op == Opcode::SetUserReg) written_[inst.imm] = i + 1;
      if ((attributes & (M | X | J | C)) || inst.op == Opcode::SynchronizationBarrier) {
        if (skips(inst.op)) skips_.skip(inst, i);
        if (inst.op == Opcode::Label) join(inst, i);
        if (inst.op == Opcode::SkipIfZero && clean) skipped_clean[inst.aux] = guest;
        // What was skipped, such as raising an exception, does not come back here.
        if (inst.op == Opcode::Label && skipped_clean[inst.imm] == guest && leaves(block.insts[i - 1])) clean = true;
        if (ends_groups(inst, attributes))
          open_count_ = 0;
        else if (const std::optional<Form> form = host_form(inst.op))
          note(i, form->store, clean && (guest >= block.guest.size() || block.guest[guest].it == 0));
        else if (attributes & M)
          single_stores_.push_back(i);  // exclusives
        else if (attributes & X)
          for (size_t k = 0; k < open_count_; k++) groups_[open_[k]].loads_only = !groups_[open_[k]].stores;
      }
      clean = clean && !has_effect(inst, attributes);
    }
    for (const Access& a : accesses_)
      if (a.store && groups_[a.group].count == 1) single_stores_.push_back(a.index);
    if (!single_stores_.empty()) split_at_other_stores();
  }

  // Puts a HostSpan before the first access of each group, and makes all of them accesses of hosts.
  void apply() {
    const auto shared = [&](const Access& a) { return a.group != kNone && groups_[a.group].count > 1; };
    const auto first_shared = std::ranges::find_if(accesses_, shared);
    if (first_shared == accesses_.end()) return;
    auto& insts = block_.insts;
    const auto n = static_cast<uint32_t>(insts.size());
    const uint32_t start = first_shared->index;  // those before stay where they are
    auto& renumbered = block_.replacement;
    uint32_t spans = 0;
    const Access* next = std::to_address(first_shared);
    const Access* const first = next;
    const Access* const end = accesses_.data() + accesses_.size();
    renumbered.resize(n);
    for (uint32_t i = start; i < n; i++) {
      if (next != end && next->index == i) {
        if (shared(*next) && groups_[next->group].host.is_none()) groups_[next->group].host = Value::inst(i + spans++);
        next++;
      }
      renumbered[i] = Value::inst(i + spans);
    }
    const auto moved = [&](Value v) { return v.is_inst() && v.index() >= start ? renumbered[v.index()] : v; };
    insts.resize(n + spans);
    // From the back: each goes to where those behind it have left.
    for (uint32_t i = n; i-- > start;) {
      const uint32_t to = renumbered[i].index();
      Inst& inst = insts[to];
      if (to != i) copy_inst(inst, insts[i]);
      for (Value& v : inst.args) {
        if (v.is_none()) break;
        v = moved(v);
      }
      if (next == first || (next - 1)->index != i) continue;
      const Access& a = *--next;
      if (!shared(a)) continue;
      const Group& group = groups_[a.group];
      if (group.host.index() + 1 == to) {
        Inst& span = insts[to - 1] = Inst();
        span.op = Opcode::HostSpan;
        span.guest = inst.guest;
        span.imm = group.check();
        span.aux = static_cast<uint32_t>(group.low);
        span.args[0] = moved(a.base);
      }
      inst.op = host_form(inst.op)->host;
      inst.args[0] = group.host;
      inst.aux = static_cast<uint32_t>(a.displacement - group.low);
    }
  }

 private:
  void join(const Inst& label, uint32_t index) {
    skips_.label(label, index);
    size_t left = 0;
    for (size_t k = 0; k < open_count_; k++)
      if (skips_.always_follows(groups_[open_[k]].first, index + 1)) open_[left++] = open_[k];
    open_count_ = left;
  }
  // Whether two values are equal, both read or computed before the present instruction.
  bool same(Value a, Value b, int depth = 2) const {
    if (a == b) return true;
    if (!a.is_inst() || !b.is_inst()) return false;
    const Inst &x = block_.insts[a.index()], &y = block_.insts[b.index()];
    if (x.op != y.op || x.imm != y.imm) return false;
    // Behind a label, registers are read again.
    if (x.op == Opcode::GetReg) return written_[x.imm] <= std::min(a.index(), b.index());
    if (x.op == Opcode::GuestAddress) return true;
    if (!(info(x.op).attributes & P) || x.aux != y.aux || depth == 0) return false;
    for (size_t n = 0; n < std::size(x.args); n++)
      if (!same(x.args[n], y.args[n], depth - 1)) return false;
    return true;
  }
  static bool leaves(const Inst& inst) { return (info(inst.op).attributes & E) != 0; }

  void note(uint32_t index, bool store, bool can_lead) {
    const Inst& inst = block_.insts[index];
    Access a{index, kNone, inst.args[0], static_cast<int32_t>(inst.aux), MemAccess::unpack(inst.imm), store, can_lead};
    bool alone = a.m.out_of_line || a.m.unprivileged;
    if (a.base.is_imm()) {
      const uint32_t va = a.base.imm32() + static_cast<uint32_t>(a.displacement);
      a.base = Value::imm(va & ~(kPageBytes - 1));
      a.displacement = static_cast<int32_t>(va % kPageBytes);
      alone |= a.end() > static_cast<int32_t>(kPageBytes);
    }
    if (!alone) a.group = group_for(a);
    if (a.group != kNone) {
      groups_[a.group].add(a);
      accesses_.push_back(a);
    } else if (store) {
      single_stores_.push_back(index);
    }
  }
  // An open one, or a new one.
  uint32_t group_for(const Access& a) {
    for (size_t k = 0; k < open_count_; k++)
      if (takes(open_[k], a)) return open_[k];
    if (!a.can_lead) return kNone;
    if (open_count_ == kMaxOpen) std::copy(open_ + 1, open_ + open_count_--, open_);
    groups_.push_back({a.base, a.index});
    return open_[open_count_++] = static_cast<uint32_t>(groups_.size() - 1);
  }
  bool takes(uint32_t number, const Access& a) const {
    const Group& group = groups_[number];
    if (!same(a.base, group.base)) return false;
    const int64_t low = std::min(group.low, a.displacement), high = std::max(group.end, a.end());
    if (high - low > kMaxSpan || (a.store && group.loads_only)) return false;
    if (a.store && !group.stores && skips_.is_conditional(group.first)) return false;
    // What is aligned follows from the alignment of the first byte.
    const auto fits = [&](const Access& x) { return ((x.displacement - low) & ((1 << x.m.align_log2) - 1)) == 0; };
    return fits(a) && (low == group.low || std::all_of(accesses_.begin(), accesses_.end(),
                                                       [&](const Access& x) { return x.group != number || fits(x); }));
  }

  // A store to flash makes its banks unreadable (Mmu::flash_hidden), and may do so to the bank that
  // a group loads from. Stores of groups go to RAM.
  void split_at_other_stores() {
    const auto stored_between = [&](uint32_t first, uint32_t last) {
      return std::any_of(single_stores_.begin(), single_stores_.end(),
                         [&](uint32_t s) { return s > first && s < last; });
    };
    const auto n = static_cast<uint32_t>(groups_.size());
    for (uint32_t g = 0; g < n; g++) {
      if (groups_[g].stores || groups_[g].count < 2) continue;
      uint32_t part = kNone, last = 0;
      for (Access& a : accesses_) {
        if (a.group != g) continue;
        // The first byte of a part may be another, from which less is known to be aligned.
        if (part != kNone &&
            (stored_between(last, a.index) || !skips_.always_follows(groups_[part].first, a.index) || !takes(part, a)))
          part = kNone;
        last = a.index;
        if (part == kNone && a.can_lead) {
          part = static_cast<uint32_t>(groups_.size());
          groups_.push_back({a.base, a.index});
        }
        a.group = part;
        if (part != kNone) groups_[part].add(a);
      }
    }
  }

  Block& block_;
  std::byte first_memory_[8 << 10];
  std::pmr::monotonic_buffer_resource memory_{first_memory_, sizeof first_memory_};
  std::pmr::vector<Access> accesses_{&memory_};  // in the order of the block
  std::pmr::vector<Group> groups_{&memory_};
  Skips skips_{block_, &memory_};
  uint32_t written_[16] = {};  // by register: 1 + the index of the last SetReg
  uint32_t open_[kMaxOpen];
  size_t open_count_ = 0;
  // Instructions that may store and have a lookup of their own.
  std::pmr::vector<uint32_t> single_stores_{&memory_};
};

}  // namespace

void share_lookups(Block& block) {
  if (has_neighbours(block)) Groups(block).apply();
}

}  // namespace crosswalk::ir
