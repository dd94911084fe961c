// SPDX-License-Identifier: GPL-2.0-or-later
// Conditions of two flags and more, which several instructions test: `STRHI; SUB; STMLS; LDRHHI`.
// Where EFLAGS have changed since the flags were set, each test would put the condition together
// again. It is made a value once, where they are set.
#include <array>
#include <cstddef>

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"
#include "translator/ir/passes/flags.h"

namespace crosswalk::ir {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

constexpr size_t kPairs = 3;  // from HI on
constexpr size_t pair_of(uint32_t condition) { return (condition - kHi) / 2; }

class Conditions {
 public:
  explicit Conditions(Block& block) : block_(block), insts_(block.insts) {}

  void run() {
    for (uint32_t i = 0; i < insts_.size(); i++) look_at(i);
    flags_change();
    if (value_count_ != 0) apply();
  }

 private:
  static constexpr size_t kMostReaders = 32, kMostValues = 8, kMostLabels = 16;
  // TestCond, to be put behind an instruction.
  struct NewValue {
    uint32_t producer;
    uint32_t condition;
    uint32_t index = kNone;  // where it is then
  };
  struct Reader {
    uint32_t index;
    size_t value;  // of values_
  };

  void look_at(uint32_t i) {
    const Inst& inst = insts_[i];
    if (skips(inst.op) && inst.aux < kMostLabels && first_skip_[inst.aux] == 0) first_skip_[inst.aux] = i + 1;
    if (inst.op == Opcode::SkipUnless || inst.op == Opcode::Select) {
      if (producer_ == kNone || inst.from_eflags || !is_of_several_flags(inst.imm & 15)) return;
      if (answers(form_, inst.imm & 15) && waiting_count_ < kMostReaders) waiting_[waiting_count_++] = i;
    } else if (inst.op == Opcode::Label) {
      // A value that is made in what was skipped is not there behind the label.
      if (inst.imm >= kMostLabels || producer_ >= first_skip_[inst.imm]) flags_change();
    } else if (info(inst.op).flags_written() & kNzcv) {
      flags_change();
      if (is_producer(inst.op)) {
        producer_ = i;
        form_ = eflags_after(inst);
      }
    }
  }
  static bool is_producer(Opcode op) {
    return op == Opcode::SubS || op == Opcode::AddS || op == Opcode::AdcS || op == Opcode::SbcS;
  }

  // Of those that test a pair, from the second on it pays.
  void flags_change() {
    for (size_t pair = 0; pair < kPairs; pair++) {
      size_t readers = 0;
      for (size_t k = 0; k < waiting_count_; k++) readers += pair_of(insts_[waiting_[k]].imm & 15) == pair;
      if (readers < 2 || value_count_ == kMostValues || reader_count_ + readers > kMostReaders) continue;
      for (size_t k = 0; k < waiting_count_; k++)
        if (pair_of(insts_[waiting_[k]].imm & 15) == pair) readers_[reader_count_++] = {waiting_[k], value_count_};
      values_[value_count_++] = {producer_, static_cast<uint32_t>(kHi + 2 * pair)};
    }
    waiting_count_ = 0;
    producer_ = kNone;
  }

  void apply() {
    for (size_t k = 0; k < reader_count_; k++) {
      Inst& reader = insts_[readers_[k].index];
      const bool other = (reader.imm & 15) != values_[readers_[k].value].condition;  // of the pair
      Value* const args = reader.args;
      if (reader.op == Opcode::Select) {
        reader.op = Opcode::Choose;
        reader.imm = 0;
        args[2] = args[other ? 0 : 1];
        args[1] = args[other ? 1 : 0];
      } else {
        reader.op = other ? Opcode::SkipIfNotZero : Opcode::SkipIfZero;
        reader.imm &= kBranch;
      }
      // Numbered behind all others until the values are there.
      args[0] = Value::inst(static_cast<uint32_t>(insts_.size() + readers_[k].value));
    }
    // From the back: each goes to where those behind it have left.
    const auto n = static_cast<uint32_t>(insts_.size());
    auto& renumbered = block_.replacement;
    renumbered.resize(n);
    size_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
      renumbered[i] = Value::inst(i + static_cast<uint32_t>(before));
      for (; before < value_count_ && values_[before].producer == i; before++)
        values_[before].index = i + static_cast<uint32_t>(before) + 1;
    }
    insts_.resize(n + value_count_);
    size_t left = value_count_;
    for (uint32_t i = n; i-- > 0;) {
      for (; left > 0 && values_[left - 1].producer == i; left--) {
        Inst& test = insts_[values_[left - 1].index] = Inst();
        test.op = Opcode::TestCond;
        test.guest = insts_[i].guest;
        test.imm = values_[left - 1].condition;
        test.from_eflags = true;
      }
      Inst inst = insts_[i];
      for (Value& v : inst.args)
        if (v.is_inst()) v = v.index() < n ? renumbered[v.index()] : Value::inst(values_[v.index() - n].index);
      insts_[renumbered[i].index()] = inst;
    }
  }

  Block& block_;
  std::vector<Inst>& insts_;
  uint32_t producer_ = kNone;  // of the flags
  EflagsForm form_ = EflagsForm::None;
  std::array<uint32_t, kMostReaders> waiting_;  // that test these flags
  size_t waiting_count_ = 0;
  std::array<Reader, kMostReaders> readers_;
  size_t reader_count_ = 0;
  std::array<NewValue, kMostValues> values_;  // by place
  size_t value_count_ = 0;
  std::array<uint32_t, kMostLabels> first_skip_{};  // by label, 1 + its index
};

}  // namespace

void share_conditions(Block& block) { Conditions(block).run(); }

}  // namespace crosswalk::ir
