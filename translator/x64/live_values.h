// SPDX-License-Identifier: GPL-2.0-or-later
// The values of a block that are still needed, while it is emitted in order: where each is, how
// often it is used yet, and which host registers the current instruction has locked. Emits the
// moves between registers, slots and guest registers.
#pragma once

#include <cstdint>

#include "translator/ir/ir.h"
#include "translator/x64/arena.h"
#include "translator/x64/assembler.h"
#include "translator/x64/carried_vectors.h"
#include "translator/x64/places.h"

namespace crosswalk::x64 {

// A rule of the allocation was broken, by an emitter or by the IR.
[[noreturn]] void allocation_broken(const char* what);

inline uint32_t times_used(const ir::Inst& inst, ir::Value v) {
  uint32_t n = 0;
  for (const ir::Value& a : inst.args) {
    if (a.is_none()) break;
    n += a == v;
  }
  return n;
}

// Registers are numbers as in instruction encodings.
class LiveValues {
 public:
  // `carried` outlives this.
  LiveValues(Assembler& code, const ir::Block& block, const CarriedVectors& carried, Arena& arena);

  // ---- the current instruction, around its emission; end() drops what is not needed again
  void begin(uint32_t index) {
    current_ = index;
    inst_ = &block_.insts[index];
  }
  void end();
  uint32_t current() const { return current_; }
  const ir::Inst& inst() const { return *inst_; }
  // Uses left once the current instruction is done.
  uint32_t uses_after(uint32_t value) const { return remaining_[value] - times_used(inst(), ir::Value::inst(value)); }

  // ---- places
  const Places& places() const { return places_; }
  const Place& of(uint32_t value) const { return places_.of(value); }
  void put(uint32_t value, Place place) { places_.put(value, place); }
  void drop(uint32_t value) { places_.drop(value); }

  // ---- host registers; the current instruction keeps those that are locked until its end
  bool is_locked(File file, int reg) const { return locked_[static_cast<int>(file)] >> reg & 1; }
  void lock(File file, int reg) { locked_[static_cast<int>(file)] |= 1u << reg; }
  void release(File file, int reg) { locked_[static_cast<int>(file)] &= ~(1u << reg); }
  // A register that is not locked and holds nothing: what it held goes to a slot.
  int allocate(File file);
  // The value is in this register from now on, and locked there.
  void own(File file, int reg, uint32_t value);
  // What it holds goes to a slot, or stays in the guest register that has it too.
  void evict(File file, int reg);
  // A value in a register of the host is what CpuState has of guest register n, until that changes.
  void note_copy(uint32_t n, uint32_t value) { copies_[n] = value; }
  void forget_copy(uint32_t n) { copies_[n] = Places::kNone; }
  // Copies an operand; its place does not change.
  void load(File file, int reg, ir::Value v);
  // Not locked there: it may be evicted again.
  int move_to_register(File file, uint32_t value);

  // ---- calls and merges
  // What is needed later goes to slots. With `guest_registers_change`, what guest registers hold
  // too.
  void spill_across_call(bool guest_registers_change);
  // Before a skip or at a label: what is live across goes to slots that both paths agree on.
  void spill_for_merge();

 private:
  uint32_t allocatable(File file) const;  // bit n: register n may hold values
  int take_slot(File file);
  void evict_live(File file);
  void spill_guest_register(uint32_t n);

  Assembler& code_;
  const ir::Block& block_;
  const CarriedVectors& carried_;
  Places places_;
  ArenaVector<uint32_t> remaining_;  // uses, by value
  uint32_t copies_[15];              // by guest register that is not pinned; or kNone
  uint32_t locked_[2] = {};          // by file
  uint32_t current_ = 0;
  const ir::Inst* inst_ = nullptr;
};

}  // namespace crosswalk::x64
