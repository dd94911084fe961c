// SPDX-License-Identifier: GPL-2.0-or-later
// Where the values of a block are: in registers of the host, in spill slots, or still in the guest
// register that they were read from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "translator/ir/ir.h"
#include "translator/x64/arena.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/state_operands.h"

namespace crosswalk::x64 {

// The host's register files. Which one a value belongs to follows from its type.
enum class File : uint8_t { General, Simd };
inline constexpr int kFileRegisters = 16;

struct alignas(8) Place {
  enum Kind : uint8_t {
    Nowhere,
    Register,  // of the host, for as long as the allocator likes
    Slot,      // a spill slot in CpuState
    Pinned,    // the host register of a guest register (kPinned)
    State,     // a guest register in CpuState
    Carried,   // the host register of a guest SIMD register (CarriedVectors)
  };
  Kind kind = Nowhere;
  uint8_t index = 0;  // host register, slot, or guest register 0-14
  // the slot stays valid when the value is loaded from it: another path may need it
  bool sticky = false;
  File file = File::General;  // Places sets it
  uint16_t offset = 0;        // State and Carried: in CpuState

  static constexpr Place host(int reg) { return {Register, static_cast<uint8_t>(reg)}; }
  static constexpr Place slot(int slot) { return {Slot, static_cast<uint8_t>(slot)}; }
  static Place guest_register(uint32_t n) {
    return {kPinned[n] >= 0 ? Pinned : State, static_cast<uint8_t>(n), false, File::General,
            static_cast<uint16_t>(reg_offset(n))};
  }
  static constexpr Place carried(uint8_t xmm, size_t offset) {
    return {Carried, xmm, false, File::Simd, static_cast<uint16_t>(offset)};
  }
  // SIMD register at this offset of CpuState.
  static constexpr Place guest_simd(size_t offset) {
    return {State, 0, false, File::Simd, static_cast<uint16_t>(offset)};
  }
};

// Where a spill slot is, in bytes from the start of CpuState. The first ones of a file are within
// reach of a byte displacement.
constexpr size_t slot_offset(File file, int slot) {
  constexpr int kHotSlots = sizeof(CpuState::spill) / 8;
  static_assert(sizeof(CpuState::spill_more) == size_t{8} * (kSpillSlots - kHotSlots));
  static_assert(sizeof(CpuState::vspill) == size_t{16} * kSpillSlots);
  const auto n = static_cast<size_t>(slot);
  if (file == File::Simd) return offsetof(CpuState, vspill) + 16 * n;
  return slot < kHotSlots ? offsetof(CpuState, spill) + 8 * n : offsetof(CpuState, spill_more) + 8 * (n - kHotSlots);
}

// One place for each value, and the values for each place.
class Places {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // A list of values, linked through next().
  struct Values {
    uint32_t first = kNone, last = kNone;
    bool empty() const { return first == kNone; }
  };

  Places(const ir::Block& block, Arena& arena);

  const Place& of(uint32_t value) const { return places_[value]; }
  // The value is there from now on, and no longer where it was.
  void put(uint32_t value, Place place) {
    drop(value);
    place.file = file_of(value);
    places_[value] = place;
    FileState& file = files_[static_cast<int>(place.file)];
    switch (place.kind) {
      case Place::Nowhere: break;
      case Place::Register:
        file.owner[place.index] = static_cast<int>(value);
        file.owned |= 1u << place.index;
        break;
      case Place::Slot:
        file.in_slot[place.index] = value;
        file.slots |= uint64_t{1} << place.index;
        break;
      case Place::Pinned:
      case Place::State:
      case Place::Carried:
        append(values_in(place), value);
        if (place.file == File::General) read_guest_ |= 1u << place.index;
        break;
    }
  }
  // The value is nowhere from now on.
  void drop(uint32_t value) {
    if (places_[value].kind == Place::Nowhere) return;
    const Place was = std::exchange(places_[value], {});
    FileState& file = files_[static_cast<int>(was.file)];
    switch (was.kind) {
      case Place::Nowhere: break;
      case Place::Register:
        file.owner[was.index] = -1;
        file.owned &= ~(1u << was.index);
        break;
      case Place::Slot: file.slots &= ~(uint64_t{1} << was.index); break;
      case Place::Pinned:
      case Place::State:
      case Place::Carried: {
        Values& values = values_in(was);
        erase(values, value);
        if (values.empty() && was.file == File::General) read_guest_ &= ~(1u << was.index);
        break;
      }
    }
  }
  // The value in a host register; -1: none.
  int owner(File file, int reg) const { return files_[static_cast<int>(file)].owner[reg]; }
  // Bit n: host register n holds a value.
  uint32_t owned(File file) const { return files_[static_cast<int>(file)].owned; }
  // The lowest slot without a value; -1: none.
  int free_slot(File file) const;
  // Values that are still in the guest register they were read from, oldest first. put() changes
  // these.
  const Values& in_guest_register(uint32_t n) const { return guest_[n]; }
  // The one after `value` in its list, or kNone.
  uint32_t next(uint32_t value) const { return next_[value]; }
  // f(each of `values`), which may drop it or put it elsewhere.
  template <class F>
  void for_each(Values values, F f) const {
    for (uint32_t v = values.first, next; v != kNone; v = next) {
      next = next_[v];
      f(v);
    }
  }
  // Bit n: there is one in guest register n.
  uint32_t read_guest_registers() const { return read_guest_; }
  const Values& in_guest_simd() const { return guest_simd_; }
  void make_slots_sticky();

 private:
  File file_of(uint32_t value) const {
    return ir::info(block_.insts[value].op).result >= ir::Type::X32 ? File::Simd : File::General;
  }
  Values& values_in(const Place& place) { return place.file == File::Simd ? guest_simd_ : guest_[place.index]; }

  void append(Values& values, uint32_t value) {
    next_[value] = kNone;
    (values.empty() ? values.first : next_[values.last]) = value;
    values.last = value;
  }
  void erase(Values& values, uint32_t value) {
    uint32_t before = kNone;
    for (uint32_t v = values.first; v != value; v = next_[v]) before = v;
    (before == kNone ? values.first : next_[before]) = next_[value];
    if (values.last == value) values.last = before;
  }

  struct FileState {
    int owner[kFileRegisters];
    uint32_t owned = 0;             // bit set: not -1
    uint64_t slots = 0;             // bit set: taken
    uint32_t in_slot[kSpillSlots];  // of those that are taken: the value
  };
  const ir::Block& block_;
  ArenaVector<Place> places_;
  ArenaVector<uint32_t> next_;  // by value
  Values guest_[15];            // Pinned, or State and not SIMD
  uint32_t read_guest_ = 0;
  Values guest_simd_;  // State or Carried
  FileState files_[2];
};

}  // namespace crosswalk::x64
